calendar-title = Calendar
calendar-before = Earlier
calendar-after = Later
calendar-week = One week
calendar-month = Whole month
calendar-to-table = The same as a table
calendar-table = As a table
calendar-none = Nothing is planned here. Slots appear when an approval is signed; windows and freezes are entered in the settings.
calendar-column-day = Day
calendar-column-time = Time
calendar-column-kind = Kind
calendar-column-ward = Ward
calendar-column-what = What
calendar-kind-slot = slot
calendar-kind-rollback = rollback
calendar-kind-freeze = freeze
calendar-kind-window = window
calendar-conflict = a freeze lies over it
calendar-go = { $n ->
    [one] { $n } device, { $release }, wave { $wave }
   *[other] { $n } devices, { $release }, wave { $wave }
 }{ $attended ->
    [0] {""}
   *[other] , { $attended } attended
 }
calendar-holds = { $n ->
    [one] { $n } hold stands: slots pass unused until it is lifted.
   *[other] { $n } holds stand: slots pass unused until they are lifted.
 }
calendar-holds-link = Holds
calendar-wards = Notices for wards
calendar-ward-title = Notice for the ward
calendar-ward-what = These devices are updated. They cannot be used for a few minutes and check themselves afterwards.
calendar-ward-none = No device of this ward is planned in the next four weeks.
calendar-ward-attended = Somebody must be at the device.
calendar-ward-leave = Leave the device switched on, connected and free. A device in use is left alone.
calendar-ward-stop = Does it not suit you? Press STOP in the console, or “not now” on the device.
calendar-ward-printed = As of
calendar-back = Calendar
calendar-feed = In your own calendar
calendar-feed-what = A secret address that your calendar program reads by itself. It says when, which ward and how many devices; no product and no device.
calendar-feed-address = This is the address. It is shown only now; keep it like a password.
calendar-feed-made = Made
calendar-feed-make = Make an address
calendar-feed-again = Make another; the earlier one ends
calendar-feed-end = End the address
calendar-feed-ended-done = The address has ended.
calendar-feed-name = Updates, { $place }
calendar-feed-slot = { $n ->
    [one] Update of { $n } device: { $ward }
   *[other] Update of { $n } devices: { $ward }
 }
calendar-feed-rollback = { $n ->
    [one] Rollback of { $n } device: { $ward }
   *[other] Rollback of { $n } devices: { $ward }
 }
calendar-feed-attended = { $n } of them need somebody beside them
