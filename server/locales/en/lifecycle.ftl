lifecycle-title = Life cycle
lifecycle-intro = Until when manufacturers make updates for your devices. After the end of support there are none: plan what replaces or isolates them.
lifecycle-none = No device has joined yet, so there is no family to look at.
lifecycle-stage = Now
lifecycle-stage-ended = support has ended
lifecycle-stage-limited = limited support
lifecycle-stage-unsaid = nothing said
lifecycle-stage-undecided = not decided
lifecycle-stage-supported = supported
lifecycle-devices = { $n ->
    [one] 1 device
   *[other] { $n } devices
 }
lifecycle-left = { $n ->
    [one] support ends in 1 day
   *[other] support ends in { $n } days
 }
lifecycle-undecided-until = to be decided by { $until }
lifecycle-said = { $name }, { $day }
lifecycle-supported = Supported until
lifecycle-limited = Limited support until
lifecycle-ends = End of support (EOS)
lifecycle-end-of-life = End of life (EOL)
lifecycle-release = Newest release
