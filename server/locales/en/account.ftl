account-title = Your account
account-words = Name and language
account-printed-hint = As it stands in records from now on. What is signed already keeps the name of then.
account-words-do = Save name and language
account-words-done = Saved.
account-password = Password
account-password-old = Present password
account-password-do = Change the password and end other sessions
account-password-done = The password is changed. Other sessions have ended.
account-second = Second step
account-second-change = Use another phone
account-second-do = Set up another phone
account-codes = Recovery codes
account-codes-left = { $n ->
    [0] No recovery code is left. Make new ones.
    [one] { $n } recovery code is left.
   *[other] { $n } recovery codes are left.
 }
account-codes-do = Make ten new codes; the old ones end
account-codes-title = Your recovery codes
account-codes-once = They are shown this once. Print or write them down, and keep them where you find them without your phone.
account-codes-for = For { $login }. Each code lets you in once, in place of the code of the phone.
account-codes-kept = I have kept them
account-passkeys = Passkeys
account-passkeys-none = You have no passkey. With one, your finger, your face or a PIN on your own device replaces password and code.
account-passkeys-unable = Passkeys need this server to have a name and TLS. Ask whoever runs it.
account-passkey-made = Made
account-passkey-used = Last used
account-passkey-never = never
account-passkey-remove = Remove { $label }
account-passkey-add = Add a passkey
account-passkey-label = What you call it
account-passkey-label-hint = For example: my phone, key on the ring.
account-passkey-failed = No passkey was made. Try again.
account-passkey-done = The passkey is yours now.
account-passkey-gone-done = The passkey is removed.
account-sessions = Sessions
account-sessions-hint = Where you are signed in. End what you do not know, and change your password then.
account-session-browser = Browser
account-session-address = Address
account-session-begun = Begun
account-session-seen = Last used
account-session-end = End
account-session-end-do = End this session
account-session-this = this one
account-session-done = The session has ended.
