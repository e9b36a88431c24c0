dossier-title = { $family } { $version }
dossier-unread = The manufacturer's dossier cannot be read on this server. Do not approve before you have it on paper; ask the manufacturer.
dossier-exploited = being exploited
dossier-therapy = gives therapy: a person must be there
dossier-severity-badge = severity: { $word }
dossier-severity-none = none
dossier-severity-low = low
dossier-severity-medium = medium
dossier-severity-high = high
dossier-severity-critical = critical
dossier-class-security = security only
dossier-class-security-fix = security and corrections
dossier-class-feature = new features
dossier-todo = What to do, by when
dossier-due = By
dossier-do-withdrawn = The manufacturer has withdrawn this release. It is installed nowhere any more, whatever was approved.
dossier-do-superseded = There is a newer release, { $version }. Look at that one.
dossier-do-nothing = Nothing: no device of yours needs it.
dossier-do-approved = { $n ->
    [one] It is approved; 1 device is still to be updated.
   *[other] It is approved; { $n } devices are still to be updated.
 }
dossier-do-exploited = { $n ->
    [one] Attacks have been seen. Decide now for 1 device.
   *[other] Attacks have been seen. Decide now for { $n } devices.
 }
dossier-do-soon = { $n ->
    [one] Decide within { $days } days for 1 device.
   *[other] Decide within { $days } days for { $n } devices.
 }
dossier-do-when = { $n ->
    [one] Decide when it suits you, for 1 device. It closes no hole.
   *[other] Decide when it suits you, for { $n } devices. It closes no hole.
 }
dossier-approve = { $n ->
    [one] Plan and approve for 1 device
   *[other] Plan and approve for { $n } devices
 }
dossier-answer = Acknowledge, put off, decline or ask
dossier-approvals = To the approvals
dossier-answers = What this hospital answered
dossier-answer-acknowledged = { $at }, { $by }: acknowledged. { $reason }
dossier-answer-declined = { $at }, { $by }: declined. { $reason }
dossier-answer-deferred = { $at }, { $by }: put off until { $until }; instead: { $control }. { $reason }
dossier-patients = What could happen to patients
dossier-patients-applied = When it is applied
dossier-patients-not = When it is not applied
dossier-patients-unknown = What is not known:
dossier-patients-unknown-all = the manufacturer has said nothing about use in the field.
dossier-patients-unknown-field = beyond what was seen in the field so far, nothing can be said.
dossier-yours = Your devices
dossier-yours-affected = { $n ->
    [one] 1 device should get it.
   *[other] { $n } devices should get it.
 }
dossier-yours-have = { $n ->
    [one] 1 device has it or a newer one.
   *[other] { $n } devices have it or a newer one.
 }
dossier-yours-unfit = { $n ->
    [one] It does not fit the hardware of 1 device.
   *[other] It does not fit the hardware of { $n } devices.
 }
dossier-yours-column = To be updated
dossier-yours-all = In all
dossier-yours-list = The devices of this family
dossier-meanwhile = Until it is applied
dossier-fix = The fix
dossier-holes = Vulnerabilities that it closes
dossier-holes-none = It closes no known vulnerability.
dossier-hole = Vulnerability
dossier-score = Severity (CVSS)
dossier-exploited-column = Known to be exploited
dossier-vector = Vector
dossier-score-unknown = not known
dossier-score-stated = { $text } (the manufacturer wrote { $stated }; computed from the vector it is as shown)
dossier-yes = yes
dossier-no = no
dossier-changes = What users will see
dossier-settings = Settings
dossier-doing = Applying it
dossier-downtime = Out of service
dossier-downtime-line = { $typical } minutes as a rule, { $most } at most, for each device
dossier-preconditions = Before
dossier-test = Test afterwards
dossier-test-who = Who may do that test
dossier-acceptance = Before clinical use
dossier-acceptance-none = its own checks are enough
dossier-acceptance-self-test = its own checks and its self-test must pass
dossier-acceptance-human = a named person must check and release it
dossier-rollback = Going back
dossier-support = Support
dossier-support-line = { $status }, until { $until }
dossier-support-supported = supported
dossier-support-limited = limited support
dossier-support-end-of-support = support has ended
dossier-support-unknown = not said
dossier-technical = Technical particulars, evidence, regulatory note
dossier-hardware = Hardware
dossier-image = Image (SHA-256)
dossier-image-size = Size on the device
dossier-file-size = Size of the whole file
dossier-delta = Fetched as a delta
dossier-delta-line = { $least } to { $most }, depending on what runs now
dossier-delta-none = no delta yet: the whole file is fetched
dossier-seq = Rank
dossier-min-seq = Least rank that must run before
dossier-rollback-to = May go back to
dossier-rollback-none = none
dossier-digest = Dossier (SHA-256)
dossier-sbom-digest = SBOM (SHA-256)
dossier-validation = Validation
dossier-evidence = Evidence from the field
dossier-regulatory = Regulatory note
dossier-sbom = Software parts (SBOM)
dossier-sbom-about = { $form }, { $n ->
    [one] 1 component.
   *[other] { $n } components.
 }
dossier-sbom-missing = The bill of materials is not on this server.
dossier-sbom-unread = The bill of materials cannot be read here; the file is as the manufacturer made it.
dossier-sbom-file = Download the SBOM as it was signed
dossier-sbom-since = What changed since { $version }
dossier-sbom-same = No component changed.
dossier-sbom-changed = Changed components
dossier-component = Component
dossier-before = Before
dossier-after = Now
dossier-sbom-added = Added ({ $n })
dossier-sbom-removed = Removed ({ $n })
dossier-sbom-more = { $n ->
    [one] 1 more is in the file.
   *[other] { $n } more are in the files.
 }
dossier-revisions = Releases of this family
dossier-here = this page
dossier-state-released = released
dossier-state-withdrawn = withdrawn
dossier-contacts = Whom to ask
dossier-list-title = Releases for your devices
dossier-list-none = No manufacturer has published a release for devices of this hospital. As soon as devices have enrolled, their releases stand here.
dossier-list-none-like = No release is like that.
dossier-list-clear = Show all releases
dossier-list-release = Release
dossier-list-kind = Kind
dossier-list-affected = Devices that lack it
dossier-list-fitting = Devices that it fits
dossier-list-more = { $n ->
    [one] 1 more: choose a family or a state.
   *[other] { $n } more: choose a family or a state.
 }
dossier-list-state-new = to be decided
dossier-list-state-running = under way
dossier-list-state-approved = approved
dossier-list-state-replaced = replaced by a newer one
dossier-list-state-done = nothing left to do
dossier-list-state-withdrawn = withdrawn
dossier-list-chip-all = All ({ $n })
dossier-list-chip-new = To be decided ({ $n })
dossier-list-chip-running = Under way ({ $n })
dossier-list-chip-approved = Approved ({ $n })
dossier-list-chip-replaced = Replaced ({ $n })
dossier-list-chip-done = Done ({ $n })
dossier-list-chip-withdrawn = Withdrawn ({ $n })
dossier-superseded-look = Look at { $version }
dossier-back = Which releases devices may go back to
dossier-back-records = Records of rollbacks
