package config

var notifyKeys = map[string]key{
	"notify.name":       {about: "The route's name.", required: true, pattern: namePattern, bare: true},
	"notify.slack":      {about: "A Slack channel, by an incoming webhook or a bot."},
	"notify.email":      {about: "A mail server, and who gets mail by it."},
	"notify.webhook":    {about: "An address that gets JSON, signed."},
	"notify.on":         {about: "What is told. Without it, what needs somebody, and its end.", least: 1, oneOf: noticeKinds()},
	"notify.images":     {about: "Patterns of names of images: of others nothing is told.", pattern: imagesPattern},
	"notify.hosts":      {about: "Labels that a host must have: of others nothing is told."},
	"notify.namespaces": {about: "Namespaces: of runs of others nothing is told.", pattern: namePattern},
	"notify.meta":       {about: "Keys of a run's meta with patterns of their values: of other runs nothing is told."},
	"notify.group":      {about: "How long what has one cause is gathered before it is told.", standard: "10s", pattern: durationPattern},
	"notify.repeat":     {about: "After how long a trouble that goes on is told again, 1m or more.", standard: "4h", pattern: durationPattern},
	"notify.title":      {about: "A template of the first line. Without it, the standard one.", least: 1},
	"notify.text":       {about: "A template of what follows. Without it, the standard one.", least: 1},

	"notifySlack.webhook_url_file": {about: "A file with the address of an incoming webhook in it.", pattern: filePattern},
	"notifySlack.token_file":       {about: "A file with a bot's token in it. Goes with channel.", pattern: filePattern},
	"notifySlack.channel":          {about: "The channel of a bot, as in '#etl-alerts', or its id.", least: 1},
	"notifySlack.api_url":          {about: "Where Slack's API is. Without it, https://slack.com/api.", pattern: sendPattern},

	"notifyEmail.host":          {about: "The mail server.", required: true, pattern: hostName.String()},
	"notifyEmail.port":          {about: "Its port. Without it, 587 for starttls, 465 for tls, 25 for none.", least: 1},
	"notifyEmail.tls":           {about: "TLS after STARTTLS, from the first byte on, or none.", standard: startTLS, oneOf: []string{startTLS, fullTLS, noTLS}},
	"notifyEmail.ca_file":       {about: "A PEM file of root certificates that are believed beside the system's.", pattern: filePattern},
	"notifyEmail.username":      {about: "Goes with password_file.", least: 1, bare: true},
	"notifyEmail.password_file": {about: "A file with the password in it.", pattern: filePattern},
	"notifyEmail.from":          {about: "The sender, as in Prewarm <prewarm@example.com>.", required: true, pattern: `@`},
	"notifyEmail.to":            {about: "Who gets it.", required: true, least: 1, pattern: `@`},

	"notifyWebhook.url":         {about: "Where to send to. Everybody who sees the configuration sees it: url_file hides it.", pattern: sendPattern},
	"notifyWebhook.url_file":    {about: "A file with the address in it.", pattern: filePattern},
	"notifyWebhook.secret_file": {about: "A file with the secret in it that signs what is sent, of at least 16 bytes.", required: true, pattern: filePattern},
	"notifyWebhook.ca_file":     {about: "A PEM file of root certificates that are believed beside the system's.", pattern: filePattern},
}
