package app

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prewarm/prewarm/config"
)

// logPage makes what gives the address at which people read the log of a run,
// without what opens it to whoever has it; nil: people have no address of us.
func logPage(public string) func(run string) string {
	if public == "" {
		return nil
	}
	return func(run string) string {
		return strings.TrimSuffix(public, "/") + "/runs/" + url.PathEscape(run) + "/log"
	}
}

// signer makes what signs links for so long; nil: they are not signed.
func (a *App) signer(life time.Duration) func(run string) string {
	if life == 0 {
		return nil
	}
	return func(run string) string {
		until := time.Now().Add(life)
		return url.Values{"until": {strconv.FormatInt(until.Unix(), 10)}, "sign": {a.links.Sign(run, until)}}.Encode()
	}
}

// logLink makes what gives the link to a log that begins to count now, signed
// where links are; nil: there is none.
func (a *App) logLink(c config.Server) func(run string) string {
	page, sign := logPage(c.PublicURL), a.signer(c.LinkLife)
	if page == nil || sign == nil {
		return page
	}
	return func(run string) string { return page(run) + "?" + sign(run) }
}
