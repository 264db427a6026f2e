package config

import "slices"

// renewed tells of files that have the path they had and hold something else:
// those of certificates and secrets by which the API knows its callers and
// senders, and by which people are told.
func renewed(old, new *Config) []string {
	var lines []string
	was := old.files()
	for _, is := range new.files() {
		if slices.Contains(was, is) && old.held[is.path] != new.held[is.path] {
			lines = append(lines, is.field+" holds something else")
		}
	}
	return lines
}

// namedFile is a file, and where the configuration names it.
type namedFile struct{ field, path string }

func (c *Config) files() []namedFile {
	var files []namedFile
	if t := c.Server.TLS; t != nil {
		files = append(files, namedFile{"server.tls.cert", t.Cert}, namedFile{"server.tls.key", t.Key}, namedFile{"server.tls.client_ca", t.ClientCA})
	}
	for _, t := range c.Auth.Tokens {
		files = append(files, namedFile{tokensPath + " " + t.Name + ": token_file", t.TokenFile})
	}
	for _, h := range c.Webhooks {
		entry := webhooksPath + " " + h.Name + ": "
		files = append(files,
			namedFile{entry + "secret_file", h.SecretFile}, namedFile{entry + "previous_secret_file", h.PreviousSecretFile},
			namedFile{entry + "path_secret_file", h.PathFile}, namedFile{entry + "previous_path_secret_file", h.PreviousPathFile})
	}
	for _, n := range c.Notify {
		files = append(files, n.files(notifyPath+" "+n.Name+": ")...)
	}
	return files
}

func (n Notify) files(entry string) []namedFile {
	switch {
	case n.Slack != nil:
		return []namedFile{{entry + "slack.webhook_url_file", n.Slack.WebhookURLFile}, {entry + "slack.token_file", n.Slack.TokenFile}}
	case n.Email != nil:
		return []namedFile{{entry + "email.password_file", n.Email.PasswordFile}, {entry + "email.ca_file", n.Email.CAFile}}
	case n.Webhook != nil:
		return []namedFile{{entry + "webhook.url_file", n.Webhook.URLFile}, {entry + "webhook.secret_file", n.Webhook.SecretFile}, {entry + "webhook.ca_file", n.Webhook.CAFile}}
	}
	return nil
}
