components-title = Component search
components-intro = Which devices run a software component, by the bills of materials (SBOM) of the releases that are installed on them.
components-search = Name, version or package URL
components-hint = Such as openssl, or openssl 3.0. Every word must fit.
components-button = Search
components-short = Write at least two characters.
components-summary = { $n } of { $all } devices run it.
components-unknown-n = { $n ->
    [one] For 1 device it is not known.
   *[other] For { $n } devices it is not known.
 }
components-none = No bill of materials that could be read names such a component.
components-none-unknown = The devices below may have it all the same.
components-component = Component
components-version = Version
components-release = Installed release
components-more = { $n ->
    [one] 1 more: add a word.
   *[other] { $n } more: add a word.
 }
components-unknown = Not known
components-unknown-badge = not known
components-unknown-unsaid = The device has not said what runs on it, or nobody has written it down.
components-unknown-unlisted = The manufacturer lists no such release here.
components-unknown-missing = The release has no bill of materials that can be read here. Ask the manufacturer.
components-unknown-left-out = The bill of materials was read only in part: { $n } components are left out.
components-devices = { $n ->
    [one] 1 device
   *[other] { $n } devices
 }
