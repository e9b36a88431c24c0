rollouts-title = Rollouts
rollouts-board-title = Rollout
rollouts-none = Nothing is on its way here.
rollouts-none-next = See approvals: a rollout begins with one
rollouts-holds = Holds
rollouts-approval = Approval
rollouts-until = counts until
rollouts-ended = Ended in the last days
rollouts-done-of = { $done } of { $all } done
rollouts-troubled = { $n } in trouble
rollouts-now = Wave { $n }: { $state }
rollouts-action-install = update
rollouts-action-rollback = rollback
rollouts-action-standing = update by standing approval
rollouts-state-halted = halted: somebody must look
rollouts-state-held = held
rollouts-state-running = under way
rollouts-state-soaking = being watched
rollouts-state-planned = planned
rollouts-state-done = done
rollouts-state-cancelled = cancelled
rollouts-wave = Wave { $n }
rollouts-wave-planned = planned
rollouts-wave-open = open
rollouts-wave-soaking = soak
rollouts-wave-passed = passed
rollouts-wave-held = held
rollouts-wave-paused = paused by the manufacturer
rollouts-wave-halted = halted
rollouts-wave-cancelled = cancelled
rollouts-phase-planned = planned
rollouts-phase-staged = staged
rollouts-phase-waiting = waiting
rollouts-phase-applying = applying
rollouts-phase-verifying = verifying
rollouts-phase-acceptance = acceptance
rollouts-phase-done = done
rollouts-phase-rolled-back = rolled back
rollouts-phase-failed = failed
rollouts-phase-not-seen = not seen
rollouts-clock-soak = Soak: { $left } left, until { $until }
rollouts-clock-soaked = Soak is over; what is missing stands below
rollouts-clock-open = Last slot ends { $until }
rollouts-clock-planned = Not before { $from }
rollouts-why = { $n ->
    [one] { $n } device: { $reason }
   *[other] { $n } devices: { $reason }
 }
rollouts-conditions = Before this wave opens
rollouts-met = met
rollouts-missing = missing
rollouts-cond-from = It is { $from } or later
rollouts-cond-updated = { $have } of the { $asked } devices asked for in wave { $n } are updated
rollouts-cond-used = Wave { $n } was used for { $have } of the { $asked } hours of clinical use asked for
rollouts-cond-watched = Wave { $n } is watched until { $until }
rollouts-cond-watch = Wave { $n } has finished and was watched
rollouts-cond-failures = Wave { $n }: { $have } failed or fell silent, { $allowed } allowed
rollouts-cond-free = No hold, freeze or pause stands in the way
rollouts-halt-failed = A device failed or went back. The wave stands until a person has looked and signs that it may go on.
rollouts-halt-silent = A device has not been heard of since it was changed. Go and look at it. The wave stands until a person signs that it may go on.
rollouts-halt-settings-changed = The settings of a device were others after the update. Compare alarm limits and drug library before anybody uses it.
rollouts-halt-held = A hold or a freeze stands in the way. The wave goes on when it is lifted.
rollouts-halt-paused = The manufacturer has paused this release. The wave goes on when the pause ends.
rollouts-look = Look at the devices
rollouts-resume = Let it go on (signed act)
rollouts-rollback = Roll back
rollouts-stop = STOP this release
rollouts-progress = Devices that are done
rollouts-devices = { $n ->
    [one] { $n } device
   *[other] { $n } devices
 }
rollouts-more = { $n ->
    [one] { $n } more device is not listed here.
   *[other] { $n } more devices are not listed here.
 }
rollouts-all-devices = All devices
rollouts-column-device = Device
rollouts-column-state = State
rollouts-column-why = Why, and last seen
rollouts-last-seen = Last seen { $at }
rollouts-detection = What the first waves can find
rollouts-detection-what = Few devices find only frequent faults. So much the waves before the last can tell:
rollouts-reload = Load the page again
rollouts-live-lost = This page is not kept current any more.
rollouts-live-load = The rollout has changed more than this page can show.
rollouts-back-title = Rollback
rollouts-back-intro = A device goes back only to a version that the manufacturer still permits for what runs on it. The order is planned and signed like an update.
rollouts-back-none = There is no older version that the manufacturer lists.
rollouts-back-permitted = permitted
rollouts-back-refused = not permitted
rollouts-back-withdrawn = withdrawn by the manufacturer
rollouts-back-may = { $n ->
    [one] { $n } device may go back to it.
   *[other] { $n } devices may go back to it.
 }
rollouts-back-opens = These holes open again:
rollouts-back-control = Whoever signs names what is done instead, who sees to it, and until when.
rollouts-back-begin = { $n ->
    [one] Plan the rollback of { $n } device to { $version }
   *[other] Plan the rollback of { $n } devices to { $version }
 }
rollouts-sheets = Records of rollbacks
rollouts-sheet = Rollback record
