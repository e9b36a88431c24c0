stop-title = STOP
stop-intro = Stopping needs no key and no permission. Devices work on as they are; only updates are held back.
stop-button-site = { $n ->
    [0] STOP: hold every device at { $place } now
    [one] STOP: hold { $n } device at { $place } now
   *[other] STOP: hold { $n } devices at { $place } now
 }
stop-button-some = { $n ->
    [0] STOP: hold { $what } now
    [one] STOP: hold { $n } device now: { $what }
   *[other] STOP: hold { $n } devices now: { $what }
 }
stop-under-way = { $n ->
    [one] { $n } of them is in the middle of an update. If it has passed the point of no return, it finishes and checks itself.
   *[other] { $n } of them are in the middle of an update. Those that have passed the point of no return finish and check themselves.
 }
stop-wrong = Nothing was stopped yet.
stop-not-stored = The server could not store it. Press again. At the device it needs no server: the application’s “not now”, or “patchward-agent hold”.
stop-reason = Reason
stop-reason-hint = You may leave it as it is. It stands in the record and on the device. No names of patients.
stop-reason-default = Stopped from the console; reason to follow
stop-choose = Stop only a part instead
stop-device = Device
stop-device-choose = Choose this device
stop-after = What happens then
stop-after-1 = Devices hear of it at once where they are connected, otherwise with their next check-in. A device that is not connected holds on its own when its wave is not confirmed.
stop-after-2 = You are asked to look at it again within 72 hours. It never lifts by itself.
stop-after-3 = Only a signed act of the hospital lets updates go on.
stop-holds-link = All holds
stop-set-done = Stopped. It stands in the record.
stop-holds-title = Holds
stop-hold-title = Hold
stop-holds-intro = What is stopped here, by whom, and when somebody must look at it again. A hold never lifts by itself.
stop-holds-standing = Standing
stop-holds-none = Nothing is held. Updates go on as they were approved.
stop-holds-lifted = Lifted in the last 90 days
stop-overdue = overdue
stop-overdue-what = This hold is overdue: its owner must look at it, and lift it or write down why it stays.
stop-standing = held
stop-lifted = lifted
stop-lifted-at = Lifted
stop-devices = { $n ->
    [one] { $n } device
   *[other] { $n } devices
 }
stop-holds-now = { $n ->
    [one] { $n } device is held now.
   *[other] { $n } devices are held now.
 }
stop-owner = Owner
stop-set = Since
stop-review = Look again by
stop-lift = Lift this hold (signed act)
stop-fact-id = Number
stop-fact-whose = Whose hold
stop-fact-set-by = Set by
stop-passed = Already past the point of no return
stop-passed-none = None. Nothing is being changed on any of these devices now.
stop-passed-what = These devices finish what they began, check themselves, and go back by themselves if something is wrong. Do not switch them off.
stop-caught = Caught in time
stop-caught-what = These devices were preparing. They stop before anything is changed.
stop-next = What next
stop-next-what = Look at the devices, write down what you find, then lift the hold with a signed act or order a rollback.
stop-board = Rollouts
stop-what-site = the whole hospital
stop-what-ward = ward { $ward }
stop-what-device = device { $device }
stop-what-release = { $family } { $version }
stop-by-site = the hospital’s own
stop-by-maker = the manufacturer’s; it does not block your rollback
stop-by-operator = of whoever runs the server; it does not block your rollback
stop-by-freeze = a freeze; it ends with the freeze
stop-state-preparing = preparing
stop-state-armed = about to begin
stop-state-activating = being changed
stop-state-restarting = restarting
stop-state-trial = checking itself
stop-state-rolling-back = going back
