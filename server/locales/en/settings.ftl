settings-title = Settings
settings-back = Back
settings-save = Save
settings-remove = Remove { $id }
settings-saved-done = Saved. It counts for what is planned from now on; approvals that are signed already stay as they are.
settings-removed-done = Removed.
settings-taken-done = The table was taken.
settings-conflict = Somebody else has changed the settings meanwhile. What you typed is still here: look at it once more, then save again.
settings-refused = Nothing was stored, because something else in the inventory does not go with it:
settings-no-choice = There is nothing to choose from yet.
settings-wrong-id = Write an id of a-z, 0-9 and '-'.
settings-wrong-number = Write a whole number.
settings-wrong-list = Write numbers with commas between.
settings-wrong-date = Write dates like 2026-12-05.
settings-wrong-time = Write a time like 13:30.
settings-wrong-instant = Write date and time like 2026-12-05 13:30.
settings-wrong-choice = Choose one.
settings-day-mon = Monday
settings-day-tue = Tuesday
settings-day-wed = Wednesday
settings-day-thu = Thursday
settings-day-fri = Friday
settings-day-sat = Saturday
settings-day-sun = Sunday
settings-index-group-hospital = The hospital
settings-index-group-people = People and machines
settings-index-group-notices = Notices
settings-index-count = { $n ->
    [0] none yet
   *[other] { $n }
 }
settings-index-wards = Wards
settings-index-wards-text = Names, and how many devices must stay in service
settings-index-rules = Rules
settings-index-rules-text = Waves, gates, how many are updated at once, how many persons sign
settings-index-windows = Windows
settings-index-windows-text = Hours in which wards allow updates
settings-index-freezes = Freezes
settings-index-freezes-text = Periods without changes
settings-index-signers = Names beside signatures
settings-index-signers-text = People who sign or answer for something
settings-index-tables = Devices and wards as tables
settings-index-tables-text = Where devices stand: download, edit in a spreadsheet, upload
settings-index-people = People
settings-index-people-text = Accounts, roles, invitations
settings-index-tokens = Tokens
settings-index-tokens-text = Access for machines
settings-index-notifications = Notifications
settings-index-notifications-text = Where notices go, and when they are passed on
settings-index-readiness = Readiness
settings-index-readiness-text = Could this hospital act in an emergency? With the drill
settings-ward-title = Wards
settings-ward-intro = A ward says how many devices of a kind must stay in service at every moment, and when they may be updated.
settings-ward-none = No ward yet. Begin with the one whose devices are updated first.
settings-ward-new = Add a ward
settings-ward-one = Ward { $id }
settings-ward-devices = { $n ->
    [one] 1 device
   *[other] { $n } devices
 }
settings-ward-min = in service at least: { $min }
settings-ward-no-min = no minimum in service
settings-ward-id = Id
settings-ward-id-hint = a-z, 0-9 and '-', e.g. 5-east. Devices keep standing here when it changes.
settings-ward-name-en = Name in English
settings-ward-name-ja = Name in Japanese
settings-ward-min-in-service = Minimum in service
settings-ward-min-in-service-hint = One line for each kind, e.g. infusion-pump=18
settings-ward-max-parallel = At once
settings-ward-max-parallel-hint = Most devices of the ward that are updated at the same time; empty for no limit of its own.
settings-ward-windows = Windows
settings-ward-windows-hint = None chosen: those of the whole hospital count.
settings-ward-staff-on-site = Staff on site
settings-ward-staff-on-site-hint = When somebody can stand at a device: days, begin, minutes; e.g. mon+tue 08:00 540. One line each. Empty: the hours of the whole hospital.
settings-window-title = Windows
settings-window-intro = Windows are the hours in which slots are proposed. A slot that was signed stays, whatever changes here.
settings-window-none = No window yet, so nothing can be planned. Add the hours in which devices may be updated.
settings-window-new = Add a window
settings-window-one = Window { $id }
settings-window-id = Id
settings-window-id-hint = a-z, 0-9 and '-'
settings-window-name-en = Name in English
settings-window-name-ja = Name in Japanese
settings-window-kind = It opens
settings-window-kind-weekly = on days of the week
settings-window-kind-daily = every so many days
settings-window-kind-dates = on these dates only
settings-window-start = Begin
settings-window-start-hint = e.g. 13:30
settings-window-minutes = Minutes
settings-window-minutes-hint = 1 to 1440
settings-window-days = Days of the week
settings-window-every = Every
settings-window-every-hint = so many weeks, or days; 1 for every one
settings-window-first = First date
settings-window-first-hint = e.g. 2026-12-01; needed when it is not every week
settings-window-last = Last date
settings-window-last-hint = empty for no end
settings-window-except = Not on
settings-window-except-hint = dates with commas between
settings-window-dates = Dates
settings-window-dates-hint = dates with commas between; only for "on these dates only"
settings-window-tz = Time zone
settings-window-tz-hint = empty for the zone of the hospital
settings-window-weekly = { $every ->
    [one] { $days } at { $start }, { $minutes } minutes
   *[other] { $days } at { $start }, { $minutes } minutes, every { $every } weeks
 }
settings-window-daily = { $every ->
    [one] every day at { $start }, { $minutes } minutes
   *[other] every { $every } days at { $start }, { $minutes } minutes
 }
settings-freeze-title = Freezes
settings-freeze-intro = A freeze is a period without changes. One that is entered after an approval was signed acts at once, like a STOP.
settings-freeze-none = No freeze is entered.
settings-freeze-new = Add a freeze
settings-freeze-one = Freeze { $id }
settings-freeze-span = { $from } to { $to }
settings-freeze-site = The whole hospital
settings-freeze-kind = All devices of the kind { $kind }
settings-freeze-id = Id
settings-freeze-id-hint = a-z, 0-9 and '-'
settings-freeze-why = Why
settings-freeze-from = From
settings-freeze-to = Until
settings-freeze-scope = Whom it concerns
settings-freeze-hardness = Emergencies
settings-freeze-soft = an emergency approval may pass
settings-freeze-hard = nothing passes
settings-signer-title = Names beside signatures
settings-signer-intro = The names and roles that are printed beside signatures. The id is the one that the site's root gives to the person's key. Never a patient.
settings-signer-none = Nobody is entered.
settings-signer-new = Add a person
settings-signer-one = Person { $id }
settings-signer-person = Id
settings-signer-person-hint = as in the site's root
settings-signer-name = Printed name
settings-signer-role = Role in the hospital
settings-signer-notices-to = Work e-mail
settings-rules-title = Rules
settings-rules-intro = What the planner keeps to, and when a rollout halts by itself.
settings-rules-tz = Time zone of the hospital
settings-rules-tz-hint = e.g. Asia/Tokyo
settings-rules-windows = Windows of wards that name none
settings-rules-max-parallel = At once in the whole hospital
settings-rules-max-parallel-hint = empty for no limit
settings-rules-canary-per-ward = Devices of each ward in wave 1
settings-rules-soak-h = Watched after each wave, in hours
settings-rules-soak-h-hint = with commas between; the last counts for all later waves
settings-rules-min-updated = Updated before the next wave opens, in percent
settings-rules-min-clinical-use-h = Hours of clinical use before the next wave opens
settings-rules-min-clinical-use-h-hint = with commas between; the last counts for all later waves
settings-rules-halt = Failures that a wave may have, in percent
settings-rules-halt-hint = with commas between; 0 halts at the first one
settings-rules-silent-after-min = A device counts as failed when it is silent for so many minutes after activation
settings-rules-emergency-soak-min = Watched in an emergency, in minutes
settings-rules-routine-persons = Persons who sign a routine approval
settings-rules-standing-persons = Persons who sign a standing approval
settings-rules-emergency-persons = Persons who sign an emergency approval
settings-rules-emergency-persons-hint = at least 2
settings-rules-rollback-persons = Persons who sign a rollback
settings-tables-title = Devices and wards as tables
settings-tables-intro = A table replaces its whole list, or nothing when anything in it is wrong. Begin with a download: its first row names the columns.
settings-tables-out = Download
settings-tables-devices = Devices as CSV ({ $n })
settings-tables-wards = Wards as CSV ({ $n })
settings-tables-in = Upload
settings-tables-which = What the table holds
settings-tables-which-devices = devices
settings-tables-which-wards = wards
settings-tables-file = File
settings-tables-file-hint = CSV UTF-8, as spreadsheets save it
settings-tables-take = Replace the list by this table
settings-tables-no-file = Choose a file.
settings-tables-wrong = { $n ->
    [one] Nothing was taken: 1 thing is wrong with the table.
   *[other] Nothing was taken: { $n } things are wrong with the table.
 }
settings-tables-problems = What is wrong
settings-tables-line = Line
settings-tables-column = Column
settings-tables-value = What stands there
settings-tables-text = What is wrong
settings-tables-more = and { $n } more
settings-window-on-dates = { $n ->
    [one] on 1 date at { $start }, { $minutes } minutes
   *[other] on { $n } dates at { $start }, { $minutes } minutes
 }
