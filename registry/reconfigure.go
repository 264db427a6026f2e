package registry

import "log/slog"

// Reconfigure changes the options of a Client in use. Calls under way end as
// they began; connections, logins and tokens of the registries that are reached
// as before are kept, those of the others are made anew with the next call. One
// that asked for fewer requests is still left alone then.
func (c *Client) Reconfigure(o Options) {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	access := make(map[string]Access, len(o.Access))
	for _, a := range o.Access {
		access[canonicalHost(a.Name)] = a
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	same := o.Timeout == c.options.Timeout && o.UserAgent == c.options.UserAgent
	c.options, c.access = o, access
	set(c.overall, overallOf(o.Rate), burstOf(overallOf(o.Rate)))
	for host, l := range c.registries {
		now := access[canonicalHost(host)]
		perSecond, burst := rateOf(host, now.Rate)
		set(l.endpoint.limiter.own, perSecond, burst)
		if same && l.access.reachesLike(now) {
			continue
		}
		if l.access.PlainHTTP != now.PlainHTTP {
			delete(c.paces, host) // another server, as far as we know
		} else if !same || !l.access.connectsLike(now) {
			l.endpoint.breaker.retry(c.now())
		}
		delete(c.registries, host)
		for repo, s := range c.sessions {
			if s.logins == l {
				delete(c.sessions, repo)
			}
		}
		l.endpoint.close()
	}
}

// reachesLike tells whether two differ in their rates only.
func (a Access) reachesLike(b Access) bool {
	a.Rate = b.Rate
	return a == b
}

// connectsLike tells whether two differ in their rates and logins only.
func (a Access) connectsLike(b Access) bool {
	a.Username, a.Password = b.Username, b.Password
	return a.reachesLike(b)
}
