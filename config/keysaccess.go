package config

// Patterns of values.
const (
	filePattern   = `^[^~]`
	urlPattern    = `^[hH][tT][tT][pP][sS]?://[^/@?#]+(/[^?#]*)?$`
	sendPattern   = `^[hH][tT][tT][pP][sS]?://`
	datePattern   = `^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt]|$)`
	imagesPattern = `^[a-z0-9.*?\[\]^-]+$`
	stepPattern   = `([^.\[\]{}\s]+(\[\])?|\[\])(\.[^.\[\]{}\s]+(\[\])?)*`
	fieldPattern  = `^(` + stepPattern + `|[^{}]*(\{` + stepPattern + `\}[^{}]*)+)$`
)

// What tokens and certificates have in common.
const (
	scopesAbout    = "What its holder may do. Who may run or warm may read; admin is all of it, in every namespace."
	namespaceAbout = "Where its run keys, pin scopes, runs and logs are: those of others are not found."
	grantedAbout   = "Patterns of the names of the images that it may run and warm, as in etl-*. Without any, all."
	metaAbout      = "What the meta of each of its runs says. A submit that says otherwise is refused."
	narrowAbout    = "What its submits may ask for of what runner.policy allows. Without it, all of that."
)

var accessKeys = map[string]key{
	"server.listen":     {about: "Address and port of the API. Beyond loopback it needs tls, or insecure.", standard: defaultListen, pattern: `:[0-9]+$`},
	"server.public_url": {about: "How people reach the API, for links to logs in what they are told and in the answers to submits.", pattern: urlPattern},
	"server.tls":        {about: "The certificate of the API."},
	"server.insecure":   {about: "HTTP without TLS beyond this machine: whoever is in between reads the tokens.", standard: false},
	"server.link_life":  {about: "How long a link opens a log to whoever has it; 0: it asks for a token.", standard: "168h", pattern: durationPattern, bare: true},
	"server.limits":     {about: "What one caller may take."},

	"serverTLS.cert":      {about: "A PEM file with the server's certificate, and those between it and its root.", pattern: filePattern},
	"serverTLS.key":       {about: "A PEM file with the certificate's key, without a passphrase.", pattern: filePattern},
	"serverTLS.client_ca": {about: "A PEM file with the certificates of those who sign callers' certificates.", pattern: filePattern},

	"serverLimits.rate":      {about: "Requests of one caller, as in 50/s; cancels and rejects are counted apart.", standard: "50/s", pattern: ratePattern},
	"serverLimits.followers": {about: "Logs, events and ends of runs that one caller waits for at the same time.", standard: 500, least: 1},

	"auth.tokens":       {about: "Tokens, beside those of prewarm token create."},
	"auth.certificates": {about: "Holders of client certificates, with server.tls.client_ca."},

	"token.name":       {about: "Who holds it.", required: true, pattern: namePattern, bare: true},
	"token.token":      {about: "At least 20 characters. Better: token_file.", least: leastToken, bare: true},
	"token.token_file": {about: "A file with the token in it.", pattern: filePattern},
	"token.expires":    {about: "When it ends: a day, at whose beginning it does (UTC), or a moment as in 2027-01-31T12:00:00Z.", pattern: datePattern},
	"token.scopes":     {about: scopesAbout, required: true, least: 1, oneOf: scopeNames},
	"token.namespace":  {about: namespaceAbout, standard: defaultNamespace, pattern: namePattern, bare: true},
	"token.images":     {about: grantedAbout, pattern: imagesPattern},
	"token.meta":       {about: metaAbout},
	"token.policy":     {about: narrowAbout},

	"certificate.name":      {about: "The common name of the certificate.", required: true, least: 1, bare: true},
	"certificate.scopes":    {about: scopesAbout, required: true, least: 1, oneOf: scopeNames},
	"certificate.namespace": {about: namespaceAbout, standard: defaultNamespace, pattern: namePattern, bare: true},
	"certificate.images":    {about: grantedAbout, pattern: imagesPattern},
	"certificate.meta":      {about: metaAbout},
	"certificate.policy":    {about: narrowAbout},

	"webhook.name":                      {about: "The end of its address: /v1/webhooks/NAME.", required: true, pattern: namePattern, bare: true},
	"webhook.kind":                      {about: "Who sends.", required: true, oneOf: webhookKinds},
	"webhook.secret":                    {about: "What the sender signs with, or shows: at least 16 bytes. Better: secret_file.", least: leastSecret, bare: true},
	"webhook.secret_file":               {about: "A file with the secret in it.", pattern: filePattern},
	"webhook.previous_secret":           {about: "The secret before, accepted as long as it stands here. Better: previous_secret_file.", least: leastSecret, bare: true},
	"webhook.previous_secret_file":      {about: "A file with the secret before in it.", pattern: filePattern},
	"webhook.path_secret_file":          {about: "A file with the secret last part of the address, for senders that can't sign: /v1/webhooks/NAME/SECRET.", pattern: filePattern},
	"webhook.previous_path_secret_file": {about: "A file with the last part before, accepted as long as it stands here.", pattern: filePattern},
	"webhook.repositories":              {about: "Patterns of repositories that the sender may speak of, as in ghcr.io/acme/*.", required: true, least: 1, pattern: protectPattern},
	"webhook.registry":                  {about: "The registry's host, in place of the one that the sender names, or where it names none.", pattern: hostPattern},
	"webhook.fields":                    {about: "Where the body has what, of kind generic. Without it, Prewarm's own form."},

	"webhookFields.image":      {about: "The image with its registry, and its tag or digest, as in detail.image.", pattern: fieldPattern},
	"webhookFields.registry":   {about: "The registry's host.", pattern: fieldPattern},
	"webhookFields.repository": {about: "The repository, where no key has all of the image.", pattern: fieldPattern},
	"webhookFields.tag":        {about: "The tag, as in detail.image-tag or resources[].tag.", pattern: fieldPattern},
	"webhookFields.digest":     {about: "The digest.", pattern: fieldPattern},
	"webhookFields.id":         {about: "The event's own name, the same when it is sent again.", pattern: fieldPattern},
}
