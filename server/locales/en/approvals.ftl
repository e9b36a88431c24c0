approvals-title = Approvals
approvals-new = New approval
approvals-standing-new = Standing approval
approvals-draft-open = A draft is open
approvals-draft-title = Plan
approvals-draft-by = Drafted by { $name }
approvals-draft-look = Look at the draft
approvals-draft-missing = { $n ->
    [0] no signature missing by number
    [one] { $n } signature missing
   *[other] { $n } signatures missing
}
approvals-draft-moved = must be made again
approvals-waiting = Waiting for an approval
approvals-waiting-none = No device waits for an approval. When a manufacturer publishes a release, it appears here and in the inbox.
approvals-devices = { $n ->
    [one] { $n } device
   *[other] { $n } devices
}
approvals-plan-these = { $n ->
    [one] Plan { $n } device
   *[other] Plan { $n } devices
}
approvals-listed = Listed approvals
approvals-listed-none = Nothing has been approved yet. Choose a release under “New approval”.
approvals-column-id = Approval
approvals-column-what = What
approvals-column-kind = Kind
approvals-column-devices = Devices
approvals-column-until = Valid until
approvals-column-state = State
approvals-column-who = Who
approvals-column-way = Way of signing
approvals-column-key = Key fingerprint
approvals-column-signed = Signed
approvals-column-day = Day
approvals-column-hours = Hours
approvals-column-device = Device
approvals-column-wave = Wave
approvals-column-more = Alternatives
approvals-column-from = Not before
approvals-column-soak = Soak
approvals-column-found = Finds a fault of 1 in 20
approvals-column-record = Record no.
approvals-column-meaning = Meaning
approvals-column-at = Signed at
approvals-column-reason = Reason
approvals-state-active = in force
approvals-state-withdrawn = withdrawn
approvals-state-past = over
approvals-of-release = { $family } { $version }
approvals-of-policy = Every fitting release of { $families }
approvals-kind-routine = Install, routine
approvals-kind-emergency = Emergency
approvals-kind-rollback = Rollback
approvals-kind-standing = Standing
approvals-kind-withdrawn = Withdrawal
approvals-no-ward = No ward
approvals-nobody = Nobody named
approvals-step-1 = Choose devices
approvals-step-2 = Plan
approvals-step-3 = Review and sign
approvals-step-4 = Done
approvals-choose = Which release?
approvals-choose-none = No release is offered for a family of this hospital’s devices. Enrol devices first, or ask the manufacturer.
approvals-choose-newer = { $n ->
    [one] Update { $n } device
   *[other] Update { $n } devices
}
approvals-choose-emergency = Update as an emergency
approvals-choose-older = { $n ->
    [one] Roll { $n } device back
   *[other] Roll { $n } devices back
}
approvals-emergency-note = An emergency approval lives for at most 24 hours and needs two persons, one of them signing offline. It never skips the device’s own permit, pairs or the minimum in service.
approvals-rollback-note = Only devices whose manufacturer still permits the way back can be chosen. Whoever signs names a compensating control.
approvals-rollback-opens = Vulnerabilities that open again:
approvals-downtime = Each device is out of service for { $span } at worst, with the way back.
approvals-closes = Closes { $cves }.
approvals-therapy = These devices give therapy: a person must stand at each one.
approvals-which = { $n ->
    [one] Devices ({ $n } chosen)
   *[other] Devices ({ $n } chosen)
}
approvals-runs = runs { $version }
approvals-runs-it = runs it already, or a newer one
approvals-runs-unknown = unknown version
approvals-without-agent = no agent: record its update by hand
approvals-when = When
approvals-not-before = Not before
approvals-horizon = Plan over how many days
approvals-any-hours = Skip usual windows and soft freezes
approvals-conditions = What must hold
approvals-condition-idle = Always: the device itself says that it is not in use on a patient.
approvals-settle = Seconds for which the device must have been free before
approvals-attended = A person must stand at each device
approvals-mains = The device must run from the mains
approvals-acceptance = A named person releases each device before it is used again
approvals-again = Plan devices again that another approval names already
approvals-propose = Propose slots
approvals-made = { $name }, { $at }
approvals-lost = The draft was made again. These signatures no longer count: { $names }
approvals-past-slots = { $n ->
    [one] { $n } slot has passed. The device still has its alternatives; make the draft again for new ones.
   *[other] { $n } slots have passed. The devices still have their alternatives; make the draft again for new ones.
}
approvals-moved-note = Another version was published meanwhile. Nothing of this draft can be signed; make it again on what is published now.
approvals-make-again = Propose slots again
approvals-review = Review and sign
approvals-not-placed = { $n ->
    [one] { $n } device without a slot
   *[other] { $n } devices without a slot
}
approvals-slots = Slots by ward
approvals-waves = Waves
approvals-signers = Signatures
approvals-acts = Who signed, and why
approvals-signed-yes = signed
approvals-signed-no = not yet
approvals-change = Change or discard
approvals-change-hint = Any change makes the draft anew, and signatures that it has are lost.
approvals-discard = Discard this draft
approvals-attended-badge = attended
approvals-need-signatures = { $n ->
    [one] { $n } more key must sign.
   *[other] { $n } more keys must sign.
}
approvals-need-persons = { $n ->
    [one] { $approval }: { $n } more person must sign.
   *[other] { $approval }: { $n } more persons must sign.
}
approvals-need-way = { $approval }: one signature must be made this way or a stronger one: { $way }.
approvals-sign-title = Review and sign
approvals-statement = What is signed
approvals-statement-hint = Word for word what the command line prints from the same bytes. Compare the fingerprint with paper, command line or colleague.
approvals-fingerprint = Fingerprint
approvals-ways = Ways of signing
approvals-way-offline = offline, on your own machine
approvals-way-console = in this page, with a key file
approvals-way-custodial = custodial, by the server
approvals-way-earlier = key of an earlier root
approvals-way-mine = yours
approvals-cost-offline = The command line on your own machine makes this text from the bytes and signs. Whoever takes over the server cannot make this signature, unless you type a fingerprint that you did not see here or on paper. The ward rules that it checks come from the server: read what it says has changed.
approvals-cost-console = The key file is opened in this page and never sent. This trusts the page: a compromised server could show one text and have you sign another, or steal the passphrase and sign with your key until it is replaced.
approvals-cost-custodial = The server keeps the key and opens it with your password and code. Whoever takes over the server can sign with your key at once, or as soon as you next type your password, without showing you anything.
approvals-weakest-offline = This hospital’s root asks that at least one signature of every approval is made offline.
approvals-weakest-console = This hospital’s root allows approvals that were signed only in the page. A compromised server could then steal passphrases and approve alone, until those keys are replaced; it still cannot run what the manufacturer did not release.
approvals-weakest-custodial = This hospital’s root allows approvals that only the server signed for people. A compromised server can then approve at once; it still cannot run what the manufacturer did not release.
approvals-nobody-note = You cannot sign here: your account is no person whose key this hospital’s root lists, or your role does not include signing. Hand the fingerprint to somebody who can, or ask an administrator.
approvals-signed-note = You have signed. The draft is published as soon as nobody is missing.
approvals-reason-title = Why do you sign?
approvals-printed = Printed name
approvals-role = Role
approvals-reason = Reason
approvals-reason-hint = It stands in the record beside your signature, for as long as the record is kept.
approvals-reason-next = Go on to signing
approvals-control-title = Compensating control
approvals-control = What is done instead
approvals-owner = Who sees to it
approvals-due = Until
approvals-control-line = Instead: { $control } ({ $owner }, until { $due })
approvals-sign-now = Sign
approvals-beside = Signed with it:
approvals-beside-at = Written out
approvals-computed = Found out by your browser from the bytes
approvals-computed-hint = Your browser computed this itself from what it is about to sign. It must agree with the text above.
approvals-key-file = Key file
approvals-key-hint = NAME.key, made by “patchward key new”. It is opened here and never sent.
approvals-passphrase = Passphrase of the key file
approvals-noscript = Signing in the page needs JavaScript. Without it, sign offline with the command line.
approvals-password = Your password
approvals-code = One-time code
approvals-offline-get = Download { $file }
approvals-offline-sign = On your own machine, sign it. The program asks for the fingerprint above and refuses if this page showed something else:
approvals-offline-back = Bring the same file back:
approvals-offline-file = Signed file
approvals-offline-send = Hand in the signatures
approvals-do-install = Approve { $n ->
    [one] { $n } device
   *[other] { $n } devices
}, { $from } – { $until }
approvals-do-emergency = Approve as an emergency: { $n ->
    [one] { $n } device
   *[other] { $n } devices
}, { $from } – { $until }
approvals-do-rollback = Authorise the rollback of { $n ->
    [one] { $n } device
   *[other] { $n } devices
}, { $from } – { $until }
approvals-do-standing = Approve in advance: { $n ->
    [one] { $n } device
   *[other] { $n } devices
}, { $from } – { $until }
approvals-do-withdraw = Withdraw the approval of { $n ->
    [one] { $n } device
   *[other] { $n } devices
} ({ $from } – { $until })
approvals-done-title = Approved
approvals-done-note = Published as version { $version } of this hospital’s approvals. The devices learn of it with their next question.
approvals-done-next = The first wave begins in its slots. Whoever sees the hospital can stop everything at any time, without a signature.
approvals-sheet-title = Approval sheet
approvals-sheet-open = Approval sheet
approvals-withdraw = Withdraw this approval
approvals-withdraw-note = { $n ->
    [one] { $n } device may no longer act on it once it has heard of the withdrawal.
   *[other] { $n } devices may no longer act on it once they have heard of the withdrawal.
} A withdrawal must be signed like an approval.
approvals-withdraw-stop = To stop at once, without a signature: STOP
approvals-withdraw-do = Draft the withdrawal for { $n ->
    [one] { $n } device
   *[other] { $n } devices
}
approvals-standing-title = Standing approval
approvals-standing-intro = Sign once, for at most 90 days, what may come: releases of these kinds install in the usual windows, one device first, without anybody signing again.
approvals-standing-families = For which families
approvals-standing-what = Which kind of change
approvals-standing-security = Only what closes security holes and changes nothing else
approvals-standing-fixes = Also what corrects faults at the same time
approvals-standing-severity = How severe at least
approvals-standing-exploited = Holes that are known to be exploited, whatever their severity
approvals-standing-days = Days until it ends
approvals-severity-critical = Critical
approvals-severity-high = High
approvals-severity-medium = Medium
approvals-severity-low = Low
approvals-again-done = The slots were proposed again.
approvals-discard-done = The draft was discarded.
approvals-signature-done = Your signature was stored.
approvals-js-version = Version of the targets
approvals-js-approval = Approval
approvals-js-release = Release
approvals-js-devices = Devices
approvals-js-slots = Slots
approvals-js-until = Valid until
approvals-js-meaning = Meaning
approvals-js-reason = Reason
approvals-js-hash = SHA-256 of the bytes
approvals-js-fingerprint = Fingerprint
approvals-js-differs = The page shows something else than what would be signed. Do not sign. Tell IT security.
approvals-js-nothing = There is nothing to sign.
approvals-js-key-file = This is no key file of this kind (ENCRYPTED PRIVATE KEY, PBKDF2 with at least 600,000 rounds, AES-256).
approvals-js-key-missing = Choose your key file and type its passphrase.
approvals-js-passphrase = The passphrase does not open the key file.
approvals-js-browser = This browser cannot sign with Ed25519. Use a newer one, or sign offline.
approvals-js-opening = Opening the key file …
approvals-js-not-yours = This key is not listed for you in the hospital’s root.
approvals-js-method = The hospital’s root says that this key does not sign in a page.
approvals-js-failed = Nothing was signed.
approvals-custodial-title = Key kept by the server
approvals-custodial-listed = listed in the hospital’s root
approvals-custodial-not-listed = The hospital’s root does not list this key yet. Give its public half to an administrator, who signs it into the root with the command line.
approvals-custodial-pub = Download the public half (.pub)
approvals-custodial-forget = Forget this key
approvals-custodial-forget-hint = Nobody can sign with it afterwards. Have it taken out of the root too.
approvals-custodial-make = Have the server keep a key for me
approvals-custodial-make-hint = It is sealed under your password. After a change of password it cannot be opened any more, and a new one is needed.
approvals-custodial-refused = The server keeps no keys for this hospital: its root does not allow it. Sign offline or with a key file.
approvals-gone = The account of { $name }, who made or signed this draft, is disabled since { $since }. Their signature still counts: discard the draft if it should not, and take the key out of the root.
