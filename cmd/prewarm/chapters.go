package main

import "github.com/spf13/cobra"

// chapters are the verbs in the order in which a newcomer needs them: so
// prewarm --help is read from its top, and not searched.
var chapters = []struct {
	title string
	verbs []string
}{
	{"Begin", []string{"init", "serve", "config", "doctor", "host"}},
	{"Images", []string{"status", "check", "warm", "history", "diff", "hold", "unhold", "approve", "rollback"}},
	{"Runs", []string{"run", "ps", "logs", "wait", "inspect", "cancel", "reject", "release", "scope", "scopes"}},
	{"Hosts and disks", []string{"drain", "undrain", "pause", "resume", "images", "df", "explain", "prune", "prunes"}},
	{"Who is told, who may call", []string{"notices", "notify", "webhook", "webhooks", "token", "audit"}},
	{"The server and its state", []string{"health", "backup", "restore", "version"}},
}

// arrange gives each verb its chapter.
func arrange(root *cobra.Command) {
	chapterOf := make(map[string]string)
	for _, c := range chapters {
		root.AddGroup(&cobra.Group{ID: c.title, Title: c.title + ":"})
		for _, verb := range c.verbs {
			chapterOf[verb] = c.title
		}
	}
	for _, verb := range root.Commands() {
		verb.GroupID = chapterOf[verb.Name()]
	}
}
