package config

// The structs of what reaches Prewarm from outside, and of what it tells there.

type serverDoc struct {
	Listen    string          `mapstructure:"listen" yaml:"listen"`
	PublicURL string          `mapstructure:"public_url" yaml:"public_url,omitempty"`
	TLS       serverTLSDoc    `mapstructure:"tls" yaml:"tls,omitempty"`
	Insecure  bool            `mapstructure:"insecure" yaml:"insecure,omitempty"`
	LinkLife  string          `mapstructure:"link_life" yaml:"link_life"`
	Limits    serverLimitsDoc `mapstructure:"limits" yaml:"limits"`
}

type serverTLSDoc struct {
	Cert     string `mapstructure:"cert" yaml:"cert,omitempty"`
	Key      string `mapstructure:"key" yaml:"key,omitempty"`
	ClientCA string `mapstructure:"client_ca" yaml:"client_ca,omitempty"`
}

type serverLimitsDoc struct {
	Rate      string `mapstructure:"rate" yaml:"rate"`
	Followers int    `mapstructure:"followers" yaml:"followers"`
}

type authDoc struct {
	Tokens       []tokenDoc       `mapstructure:"tokens" yaml:"tokens,omitempty"`
	Certificates []certificateDoc `mapstructure:"certificates" yaml:"certificates,omitempty"`
}

// metaDoc are free keys with values of a run.
type metaDoc map[string]string

// What is granted stands in tokenDoc and certificateDoc alike: keys are taken
// from the fields of one struct.
type tokenDoc struct {
	Name      string     `mapstructure:"name" yaml:"name"`
	Token     Secret     `mapstructure:"token" yaml:"token,omitempty"`
	TokenFile string     `mapstructure:"token_file" yaml:"token_file,omitempty"`
	Expires   string     `mapstructure:"expires" yaml:"expires,omitempty"`
	Scopes    plainList  `mapstructure:"scopes" yaml:"scopes,omitempty,flow"`
	Namespace string     `mapstructure:"namespace" yaml:"namespace"`
	Images    plainList  `mapstructure:"images" yaml:"images,omitempty,flow"`
	Meta      metaDoc    `mapstructure:"meta" yaml:"meta,omitempty"`
	Policy    *policyDoc `mapstructure:"policy" yaml:"policy,omitempty"` // a pointer: "policy: {}" allows nothing
}

type certificateDoc struct {
	Name      string     `mapstructure:"name" yaml:"name"`
	Scopes    plainList  `mapstructure:"scopes" yaml:"scopes,omitempty,flow"`
	Namespace string     `mapstructure:"namespace" yaml:"namespace"`
	Images    plainList  `mapstructure:"images" yaml:"images,omitempty,flow"`
	Meta      metaDoc    `mapstructure:"meta" yaml:"meta,omitempty"`
	Policy    *policyDoc `mapstructure:"policy" yaml:"policy,omitempty"`
}

type webhookDoc struct {
	Name                   string            `mapstructure:"name" yaml:"name"`
	Kind                   string            `mapstructure:"kind" yaml:"kind"`
	Secret                 Secret            `mapstructure:"secret" yaml:"secret,omitempty"`
	SecretFile             string            `mapstructure:"secret_file" yaml:"secret_file,omitempty"`
	PreviousSecret         Secret            `mapstructure:"previous_secret" yaml:"previous_secret,omitempty"`
	PreviousSecretFile     string            `mapstructure:"previous_secret_file" yaml:"previous_secret_file,omitempty"`
	PathSecretFile         string            `mapstructure:"path_secret_file" yaml:"path_secret_file,omitempty"`
	PreviousPathSecretFile string            `mapstructure:"previous_path_secret_file" yaml:"previous_path_secret_file,omitempty"`
	Repositories           plainList         `mapstructure:"repositories" yaml:"repositories,omitempty,flow"`
	Registry               string            `mapstructure:"registry" yaml:"registry,omitempty"`
	Fields                 *webhookFieldsDoc `mapstructure:"fields" yaml:"fields,omitempty"`
}

type webhookFieldsDoc struct {
	Image      string `mapstructure:"image" yaml:"image,omitempty"`
	Registry   string `mapstructure:"registry" yaml:"registry,omitempty"`
	Repository string `mapstructure:"repository" yaml:"repository,omitempty"`
	Tag        string `mapstructure:"tag" yaml:"tag,omitempty"`
	Digest     string `mapstructure:"digest" yaml:"digest,omitempty"`
	ID         string `mapstructure:"id" yaml:"id,omitempty"`
}

type notifyDoc struct {
	Name       string            `mapstructure:"name" yaml:"name"`
	Slack      *notifySlackDoc   `mapstructure:"slack" yaml:"slack,omitempty"`
	Email      *notifyEmailDoc   `mapstructure:"email" yaml:"email,omitempty"`
	Webhook    *notifyWebhookDoc `mapstructure:"webhook" yaml:"webhook,omitempty"`
	On         plainList         `mapstructure:"on" yaml:"on,omitempty,flow"`
	Images     plainList         `mapstructure:"images" yaml:"images,omitempty,flow"`
	Hosts      map[string]string `mapstructure:"hosts" yaml:"hosts,omitempty"`
	Namespaces plainList         `mapstructure:"namespaces" yaml:"namespaces,omitempty,flow"`
	Meta       metaDoc           `mapstructure:"meta" yaml:"meta,omitempty"`
	Group      string            `mapstructure:"group" yaml:"group"`
	Repeat     string            `mapstructure:"repeat" yaml:"repeat"`
	Title      string            `mapstructure:"title" yaml:"title,omitempty"`
	Text       string            `mapstructure:"text" yaml:"text,omitempty"`
}

type notifySlackDoc struct {
	WebhookURLFile string `mapstructure:"webhook_url_file" yaml:"webhook_url_file,omitempty"`
	TokenFile      string `mapstructure:"token_file" yaml:"token_file,omitempty"`
	Channel        string `mapstructure:"channel" yaml:"channel,omitempty"`
	APIURL         string `mapstructure:"api_url" yaml:"api_url,omitempty"`
}

type notifyEmailDoc struct {
	Host         string    `mapstructure:"host" yaml:"host"`
	Port         int       `mapstructure:"port" yaml:"port"`
	TLS          string    `mapstructure:"tls" yaml:"tls"`
	CAFile       string    `mapstructure:"ca_file" yaml:"ca_file,omitempty"`
	Username     string    `mapstructure:"username" yaml:"username,omitempty"`
	PasswordFile string    `mapstructure:"password_file" yaml:"password_file,omitempty"`
	From         string    `mapstructure:"from" yaml:"from"`
	To           plainList `mapstructure:"to" yaml:"to,omitempty,flow"`
}

type notifyWebhookDoc struct {
	URL        string `mapstructure:"url" yaml:"url,omitempty"`
	URLFile    string `mapstructure:"url_file" yaml:"url_file,omitempty"`
	SecretFile string `mapstructure:"secret_file" yaml:"secret_file"`
	CAFile     string `mapstructure:"ca_file" yaml:"ca_file,omitempty"`
}
