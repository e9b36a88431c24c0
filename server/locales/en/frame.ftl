frame-brand = Patchward
frame-skip = Skip to the content
frame-stop = STOP
frame-nav = Pages of this place
frame-nav-today = Today
frame-nav-inbox = Inbox
frame-nav-approvals = Approvals
frame-nav-calendar = Calendar
frame-nav-devices = Devices
frame-nav-rollouts = Rollouts
frame-nav-components = Components
frame-nav-records = Records
frame-nav-lifecycle = Life cycle
frame-nav-settings = Settings
frame-nav-dashboard = Dashboard
frame-nav-families = Families
frame-nav-releases = Releases
frame-nav-field = Field status
frame-nav-sites = Sites
frame-nav-repositories = Repositories and keys
frame-elsewhere = Other places
frame-sign-out = Sign out
frame-idle-soon = You will be signed out in two minutes. Load this page again, or send your form, to stay.
frame-foot = Starting needs two keys; stopping needs none. Unknown means no.
frame-turned-title = That did not work
frame-turned-again = Nothing was lost. Try again in a moment.
frame-turned-code = Code { $code }, request { $request }
frame-turned-home = Back to the first page
frame-span-seconds = { $n ->
    [one] { $n } second
   *[other] { $n } seconds
 }
frame-span-minutes = { $n ->
    [one] { $n } minute
   *[other] { $n } minutes
 }
frame-span-hours = { $n ->
    [one] { $n } hour
   *[other] { $n } hours
 }
frame-span-days = { $n ->
    [one] { $n } day
   *[other] { $n } days
 }
frame-field-some = One of the entries
frame-field-reason = Reason
frame-field-owner = Owner
frame-field-label = Label
frame-field-name = Name
frame-field-title = Role in words
frame-field-address = Address
frame-field-tz = Time zone
frame-field-until = Until
frame-field-due = Due
frame-field-control = Compensating control
frame-field-words = Text
frame-field-answer = Answer
frame-field-role = Role
frame-field-family = Family
frame-field-families = Families
frame-field-device = Device
frame-field-to-ward = Ward
frame-field-version = Version
frame-field-file = File
frame-field-signed = Signed file
frame-field-days = Days
frame-field-code = Code
frame-field-title-en = Name in English
frame-field-title-ja = Name in Japanese
frame-field-hardware = Hardware
frame-field-class = Class
frame-field-severity = Severity
frame-field-person = Person of the site
frame-field-account = Account
frame-field-language = Language
frame-field-quiet-from = Quiet from
frame-field-quiet-to = Quiet until
frame-field-horizon-days = Days ahead
frame-field-settle-s = Waiting time
frame-field-performed = When
frame-field-performed-by = By whom
frame-field-to-version = Version
frame-field-verified = How it was verified
frame-field-review-at = Review
frame-field-not-before = Not before
frame-field-life-s = Life
frame-field-whose = Whose
frame-field-kind = Kind
frame-field-supported-until = Supported until
frame-field-limited-until = Limited support until
frame-field-end-of-support = End of support
frame-field-end-of-life = End of life (no longer sold)
frame-field-undecided-until = Undecided until
frame-invalid-empty = “{ $field }” is empty.
frame-invalid-between = “{ $field }” has { $least } to { $most } characters, and no odd ones.
frame-invalid-most = “{ $field }” has at most { $most } characters, and no odd ones.
frame-invalid-choose = “{ $field }” is not chosen yet.
frame-invalid-later = “{ $field }” must lie ahead, and within { $most } days.
frame-invalid-day = “{ $field }” is no day of the calendar.
frame-invalid-zone = This is no time zone. Write it as Asia/Tokyo.
frame-invalid-mail = This is no mail address.
frame-invalid-no-channel = There is no channel yet. Enter one first.
frame-invalid-drill = The last drill was less than a minute ago. Wait for it to arrive.
frame-invalid-other = “{ $field }” cannot be taken as it is.
