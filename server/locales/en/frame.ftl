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
