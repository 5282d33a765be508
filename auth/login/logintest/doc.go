// Package logintest judges what keeps users for auth/login: an Editor, a
// CredentialEditor, an AppPasswordEditor, a GuardStore. A backend's own test is a
// few lines:
//
//	func TestUsers(t *testing.T) {
//		logintest.Editor(t, func(t *testing.T) login.Editor { return openUsers(t) })
//	}
//
// Each function asks for a new, empty one as often as it needs it. A failure
// names the rule that does not hold.
package logintest
