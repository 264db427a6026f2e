package notify

import (
	"strings"

	"github.com/slack-go/slack"

	"github.com/prewarm/prewarm/internal/notice"
)

// Slack's bounds, in characters. Bytes are never fewer, so bytes are counted.
const (
	maxHeader   = 150
	maxSection  = 3000
	maxSections = 8
)

// marks are what a reader sees first of a message.
var marks = map[notice.Kind]string{
	notice.RunFailed: "🔴", notice.RunLost: "🟠", notice.RunOrphaned: "🟠", notice.RunRetrying: "🟡", notice.RunSucceeded: "🟢",
	notice.RunSkipped: "⚪", notice.RunCanceled: "⚪", notice.RunStarted: "🔵",
	notice.ImagePromoted: "🟢", notice.WarmFailed: "🔴", notice.GoneUpstream: "🟠", notice.HostDown: "🔴", notice.HostUp: "🟢",
	notice.DriftRepaired: "🟡", notice.DiskPressure: "🟠", notice.PrunePass: "⚪", notice.QuotaLow: "🟡", notice.ConfigRefused: "🟠",
}

// blocksOf shows a message with its title as a heading, its text, and its ids in
// small.
func blocksOf(m notice.Message) []slack.Block {
	head := strings.TrimSpace(marks[m.Newest().Kind] + " " + m.Title)
	blocks := []slack.Block{slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, cut(head, maxHeader), true, false))}
	for _, part := range sections(escape(m.Text)) {
		blocks = append(blocks, slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, part, false, false), nil, nil))
	}
	small := "prewarm, route " + escape(m.Route) + ", notice " + m.ID + ", event " + m.Newest().ID
	return append(blocks, slack.NewContextBlock("", slack.NewTextBlockObject(slack.MarkdownType, small, false, false)))
}

// fallback is what notifications show.
func fallback(m notice.Message) string { return escape(m.Title) }

// escaper is what Slack asks for: three characters, and no others.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func escape(s string) string { return escaper.Replace(s) }

// sections parts a text at ends of lines so that each part fits a section. What
// does not fit in all of them is cut.
func sections(text string) []string {
	var parts []string
	var part strings.Builder
	flush := func() {
		if s := strings.TrimSpace(part.String()); s != "" {
			parts = append(parts, s)
		}
		part.Reset()
	}
	for line := range strings.SplitSeq(text, "\n") {
		line = cut(line, maxSection-1)
		if part.Len()+len(line)+1 > maxSection {
			flush()
		}
		part.WriteString(line + "\n")
	}
	flush()
	if len(parts) > maxSections {
		parts = append(parts[:maxSections-1], "…")
	}
	return parts
}
