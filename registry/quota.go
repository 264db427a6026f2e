package registry

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// Quota is what a registry says of the requests that it counts, mostly pulls:
// those that read a manifest.
type Quota struct {
	Limit     int           // in a window
	Remaining int           // in this window
	Window    time.Duration // 0: it does not say
	Seen      time.Time     // when it said so
}

const (
	// reserve is the part of a quota that watching leaves for pulls: 1/reserve.
	reserve = 5
	// chargedAfter is how many HEADs in a row must each have cost something
	// before we believe that HEADs cost: other clients may use the same quota.
	chargedAfter = 3
	// quotaPatience is how long a call waits for its turn within the quota;
	// beyond, it is told when to come back.
	quotaPatience = 10 * time.Second
	// quotaRecheck is when to come back where looking costs nothing, however
	// long the window.
	quotaRecheck = 15 * time.Minute
	longestQuota = 31 * 24 * time.Hour
)

// quota spends what a registry allows so that it lasts its window.
type quota struct {
	freeHeads bool // the registry documents that HEAD is not counted

	mu       sync.Mutex
	now      Quota
	ends     time.Time // the window, as far as we can tell
	falls    int       // HEADs in a row that each cost something
	lastHead bool      // what came before the next answer was a HEAD too
	next     time.Time // the next look at a tag that costs something
}

// read takes what an answer says. A registry that says nothing has no quota.
func (q *quota) read(h http.Header, r asked, now time.Time) {
	limit, window, ok := parseQuota(h.Get("ratelimit-limit"))
	remaining, w, ok2 := parseQuota(h.Get("ratelimit-remaining"))
	if !ok || !ok2 || limit == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	before := q.now
	q.now = Quota{Limit: limit, Remaining: remaining, Window: max(window, w), Seen: now}
	fresh := before.Seen.IsZero() || !now.Before(q.ends) || remaining-before.Remaining > limit/10
	if fresh {
		q.ends = now.Add(q.now.Window)
	}
	if ends, ok := parseReset(h.Get("ratelimit-reset"), now); ok {
		q.ends = ends
	}
	q.learn(before, fresh, r)
}

// learn finds out whether a HEAD costs something, from HEADs that follow each
// other. Answers may overtake each other, so a rise says nothing.
func (q *quota) learn(before Quota, fresh bool, r asked) {
	if r.head && q.lastHead && !fresh {
		switch {
		case q.now.Remaining < before.Remaining:
			q.falls++
		case q.now.Remaining == before.Remaining:
			q.falls = 0
		}
	}
	q.lastHead = r.head
}

// admit gives how long a request has to wait for its share, or tells when to
// come back.
func (q *quota) admit(r asked, now time.Time) (time.Duration, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	headsCost := !q.freeHeads && q.falls >= chargedAfter
	if !r.manifest || r.head && !headsCost || q.now.Seen.IsZero() || !now.Before(q.ends) {
		return 0, nil
	}
	if q.now.Remaining == 0 {
		until := q.ends
		if !headsCost && until.Sub(now) > quotaRecheck {
			until = now.Add(quotaRecheck)
		}
		return 0, q.held("has no requests left for us in its window"+q.now.length(), until)
	}
	if !r.watch {
		return 0, nil
	}
	spendable := q.now.Remaining - q.now.Limit/reserve
	if spendable <= 0 {
		return 0, q.held("has few requests left for us in its window"+q.now.length()+", and they are kept for pulls", q.ends)
	}
	slot := q.next
	if slot.Before(now) {
		slot = now
	}
	if slot.Sub(now) > quotaPatience {
		return 0, q.held("counts every look at a tag, so they are spread over its window"+q.now.length(), slot)
	}
	q.next = slot.Add(q.ends.Sub(now) / time.Duration(spendable))
	return slot.Sub(now), nil
}

// length is " of 6h0m0s", or nothing where the registry does not say.
func (q Quota) length() string {
	if q.Window <= 0 {
		return ""
	}
	return " of " + q.Window.String()
}

func (q *quota) held(why string, until time.Time) error {
	return &errHeld{
		code: problem.RegistryLimited, why: why, until: until,
		mend: "wait; a login has a higher limit than an anonymous client, and fewer or slower watches ask less",
	}
}

func (q *quota) last() (Quota, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.now, !q.now.Seen.IsZero()
}

// Quota gives what a registry last said of its quota, or false where it has
// said nothing.
func (c *Client) Quota(host string) (Quota, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.registries {
		if canonicalHost(l.endpoint.host) == canonicalHost(host) {
			return l.endpoint.quota.last()
		}
	}
	return Quota{}, false
}

// parseQuota reads 100;w=21600: a number and, perhaps, the seconds of its
// window.
func parseQuota(header string) (n int, window time.Duration, ok bool) {
	number, params, _ := strings.Cut(header, ";")
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || n < 0 {
		return 0, 0, false
	}
	for param := range strings.SplitSeq(params, ";") {
		value, isWindow := strings.CutPrefix(strings.TrimSpace(param), "w=")
		seconds, err := strconv.ParseInt(value, 10, 32)
		if isWindow && err == nil && seconds > 0 {
			window = min(time.Duration(seconds)*time.Second, longestQuota)
		}
	}
	return n, window, true
}

// parseReset reads when a window ends: in so many seconds or, where that would
// be beyond every window, at that Unix time (GitLab's way).
func parseReset(header string, now time.Time) (time.Time, bool) {
	reset, err := strconv.ParseInt(strings.TrimSpace(header), 10, 64)
	if err != nil || reset < 0 {
		return time.Time{}, false
	}
	if reset <= int64(longestQuota/time.Second) {
		return now.Add(time.Duration(reset) * time.Second), true
	}
	if latest := now.Add(longestQuota); reset > latest.Unix() {
		return latest, true
	}
	return time.Unix(reset, 0), true
}
