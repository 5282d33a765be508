package oauthclient

import "net/url"

// Microsoft365 returns what there is to know of Microsoft's servers for the
// mailbox of a person who has logged in: IMAP, POP and SMTP submission at
// outlook.office365.com and smtp.office365.com. tenant is the directory's id or
// domain, "organizations" for any, or "consumers" for outlook.com. ClientID is
// left to be filled in. Microsoft rotates refresh tokens.
func Microsoft365(tenant string) Registration {
	r := microsoft(tenant)
	r.DeviceURL = microsoftBase(tenant) + "devicecode"
	r.AuthURL = microsoftBase(tenant) + "authorize"
	r.Scopes = []string{
		"https://outlook.office.com/IMAP.AccessAsUser.All",
		"https://outlook.office.com/POP.AccessAsUser.All",
		"https://outlook.office.com/SMTP.Send",
		"offline_access", // asks for a refresh token
	}
	return r
}

// Microsoft365App is Microsoft365 for a program that acts for itself
// (ClientCredentials), with ClientSecret or Key. The administrator grants it
// IMAP.AccessAsApp, POP.AccessAsApp or SMTP.SendAsApp and access to each mailbox.
func Microsoft365App(tenant string) Registration {
	r := microsoft(tenant)
	r.Scopes = []string{"https://outlook.office365.com/.default"}
	return r
}

func microsoft(tenant string) Registration {
	return Registration{TokenURL: microsoftBase(tenant) + "token", SecretInBody: true}
}

func microsoftBase(tenant string) string {
	return "https://login.microsoftonline.com/" + url.PathEscape(tenant) + "/oauth2/v2.0/"
}

// Google returns what there is to know of Google's servers for Gmail: IMAP, POP
// and SMTP submission have one scope. ClientID and ClientSecret are left to be
// filled in. There is no DeviceURL: Google's device flow does not give out this
// scope, so a person logs in with StartBrowser.
func Google() Registration {
	return Registration{
		TokenURL: "https://oauth2.googleapis.com/token",
		// Without these Google gives a refresh token the first time only.
		AuthURL: "https://accounts.google.com/o/oauth2/v2/auth?access_type=offline&prompt=consent",
		Scopes:  []string{"https://mail.google.com/"},
	}
}
