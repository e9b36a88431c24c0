today-title = Today
today-next = What to do first
today-next-wards = Nothing is known of this hospital yet: write down its wards and how many devices must stay in service.
today-next-wards-button = Set up wards
today-next-enrol = No device has joined yet: make an enrolment pack and carry it to the first device, or add a device without an agent.
today-next-enrol-button = Enrol a device
today-next-ask = No device has joined yet. An administrator of this hospital can enrol one.
today-next-ask-button = To the devices
today-matters = { $n ->
    [0] Nothing needs you
    [one] 1 matter needs somebody
   *[other] { $n } matters need somebody
 }
today-matters-none = Nothing waits for anybody at this hospital.
today-more = { $n ->
    [one] 1 more in the inbox
   *[other] { $n } more in the inbox
 }
today-severity-urgent = urgent
today-severity-important = to be done
today-severity-normal = to know
today-see-now = See to it
today-see = Look at it
today-left = { $left } left
today-over = overdue by { $by }
today-release = { $family } { $version }
today-back = back to { $what }
today-week = The next seven days
today-week-none = No device is planned in the next seven days.
today-week-more = { $n ->
    [one] 1 more in the calendar
   *[other] { $n } more in the calendar
 }
today-calendar = To the calendar
today-no-ward = in no ward
today-slot = wave { $wave }, { $n ->
    [one] 1 device
   *[other] { $n } devices
 }
today-stay = { $stay } of { $all } stay in service
today-under-way = Under way
today-under-way-none = No wave is under way.
today-rollouts = To the rollouts
today-wave = { $what }, wave { $n }
today-wave-planned = planned
today-wave-open = running
today-wave-soaking = being watched
today-wave-halted = halted
today-wave-passed = passed
today-wave-cancelled = cancelled
today-numbers = { $updated } of { $devices } updated, { $failed } failed
today-soak = watched for another { $left }
today-devices = Devices
today-devices-none = No device has joined yet.
today-devices-all = All devices
