package registry

// Reconfigure changes the options of a Client in use. Calls under way end as
// they began; connections, logins and tokens of the registries that are reached
// as before are kept, those of the others are made anew with the next call.
func (c *Client) Reconfigure(o Options) {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
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
		if same && l.access.reachesLike(now) {
			perSecond, burst := rateOf(host, now.Rate)
			set(l.endpoint.limiter.own, perSecond, burst)
			continue
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
