package registry

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestParseQuota(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]struct {
		n      int
		window time.Duration
		ok     bool
	}{
		"100;w=21600":          {100, 6 * time.Hour, true},
		" 76 ; w=21600":        {76, 6 * time.Hour, true},
		"0;w=21600":            {0, 6 * time.Hour, true},
		"100":                  {100, 0, true},
		"100;x=1;w=60":         {100, time.Minute, true},
		"100;w=-5":             {100, 0, true},
		"100;w=9999999999999":  {100, 0, true},
		"100;w=2000000000":     {100, longestQuota, true},
		"":                     {},
		"many":                 {},
		"-1;w=60":              {},
		"99999999999999999999": {},
	} {
		n, window, ok := parseQuota(header)
		if n != want.n || window != want.window || ok != want.ok {
			t.Errorf("parseQuota(%q) = %d, %s, %t, want %v", header, n, window, ok, want)
		}
	}
}

var (
	headOfTag   = asked{manifest: true, watch: true, head: true}
	getOfTag    = asked{manifest: true, watch: true}
	getOfDigest = asked{manifest: true}
)

func says(limit, remaining int) http.Header {
	h := http.Header{}
	h.Set("ratelimit-limit", fmt.Sprintf("%d;w=21600", limit))
	h.Set("ratelimit-remaining", fmt.Sprintf("%d;w=21600", remaining))
	return h
}

func TestHeadsAreFreeUntilTheyProveToCost(t *testing.T) {
	t.Parallel()
	now := newHandTime().Now()
	for _, tc := range []struct {
		name      string
		free      bool // documented
		remaining []int
		asks      asked
		cost      bool
	}{
		{"they cost nothing", false, []int{9, 9, 9, 9, 9}, headOfTag, false},
		{"others use the quota too", false, []int{9, 8, 8, 7, 7}, headOfTag, false},
		{"each costs one", false, []int{9, 8, 7, 6}, headOfTag, true},
		{"too few to tell", false, []int{9, 8, 7}, headOfTag, false},
		{"answers overtake each other", false, []int{9, 7, 8, 6, 5}, headOfTag, true},
		{"free by documentation", true, []int{9, 8, 7, 6}, headOfTag, false},
		{"GETs cost", true, []int{9}, getOfTag, true},
	} {
		q := quota{freeHeads: tc.free}
		for _, n := range tc.remaining {
			q.read(says(10, n), tc.asks, now)
		}
		// One goes; where looks cost, the next has to wait.
		must(q.admit(tc.asks, now))(t)
		_, err := q.admit(tc.asks, now)
		if (err != nil) != tc.cost {
			t.Errorf("%s: the second look: %v, want it held: %t", tc.name, err, tc.cost)
		}
	}
}

// What is left lasts its window, and a fifth of the quota is left for pulls.
func TestQuotaLastsItsWindow(t *testing.T) {
	t.Parallel()
	clock := newHandTime()
	var q quota
	left, window, looks := 100, clock.Now().Add(6*time.Hour), 0
	q.read(says(100, left), getOfTag, clock.Now())
	for clock.Now().Before(window) {
		wait, err := q.admit(getOfTag, clock.Now())
		if err != nil {
			clock.advance(time.Second)
			continue
		}
		clock.advance(wait)
		looks++
		left--
		q.read(says(100, left), getOfTag, clock.Now())
	}
	if looks < 75 || looks > 80 {
		t.Errorf("%d looks in the window, want nearly 80 of 100", looks)
	}
	if _, err := q.admit(getOfDigest, window.Add(-time.Second)); err != nil {
		t.Errorf("what is left is not for pulls: %v", err)
	}
	if _, err := q.admit(getOfTag, window); err != nil {
		t.Errorf("in the next window: %v", err)
	}
}

func TestQuotaOfNothing(t *testing.T) {
	t.Parallel()
	now := newHandTime().Now()
	for _, tc := range []struct {
		name  string
		free  bool
		asks  asked
		until time.Duration // 0: it may go
	}{
		{"a look that costs", false, headOfTag, 6 * time.Hour},
		{"a look that is free", true, headOfTag, 0},
		{"a read", false, getOfDigest, 6 * time.Hour},
		{"a read, where looks are free and tell when there is more", true, getOfDigest, quotaRecheck},
		{"a token", false, asked{}, 0},
	} {
		q := quota{freeHeads: tc.free, falls: chargedAfter}
		q.read(says(100, 0), getOfDigest, now)
		_, err := q.admit(tc.asks, now)
		var held *errHeld
		if tc.until == 0 {
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		held, ok := err.(*errHeld) //nolint:errorlint // what admit itself makes
		if !ok || held.until.Sub(now) != tc.until || held.code != problem.RegistryLimited {
			t.Errorf("%s: %v, want it held for %s", tc.name, err, tc.until)
		}
	}
}

func TestQuotaThroughTheClient(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	digest := f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	f.fault = func(w http.ResponseWriter, r *http.Request) {
		for name, values := range says(200, 0) {
			w.Header()[name] = values
		}
		f.content.ServeHTTP(w, r)
	}
	c := testClient(t, anonymous(f))
	clock := newHandTime()
	c.now = clock.Now
	if _, known := c.Quota(f.host()); known {
		t.Error("a quota is known before any request")
	}
	ref := mustRef(t, f.host()+"/etl/node:latest")
	must(c.Resolve(t.Context(), ref))(t)
	got, _ := c.Quota(f.host())
	if diff := cmp.Diff(Quota{Limit: 200, Window: 6 * time.Hour, Seen: clock.Now()}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	f.requests()
	_, err := c.Manifest(t.Context(), NewPin(ref.Repository(), digest), nil)
	check(t, err, problem.RegistryLimited, "no requests left for us in its window of 6h0m0s", "not before")
	if got := problem.From(err).RetryAfter; got != quotaRecheck || len(f.requests()) != 0 {
		t.Errorf("RetryAfter = %s, and the registry must not be asked", got)
	}
	must(c.Resolve(t.Context(), ref))(t) // HEAD is still free
}

func TestParseReset(t *testing.T) {
	t.Parallel()
	now := newHandTime().Now()
	for header, want := range map[string]time.Duration{
		"0": 0, "60": time.Minute, " 60 ": time.Minute, "2678400": longestQuota,
		fmt.Sprint(now.Unix() + 60): time.Minute, fmt.Sprint(now.Unix() - 60): -time.Minute,
		"9223372036854775807": longestQuota,
	} {
		if got, ok := parseReset(header, now); !ok || got.Sub(now).Round(time.Second) != want {
			t.Errorf("parseReset(%q) = %s, %t, want %s from now", header, got.Sub(now), ok, want)
		}
	}
	for _, header := range []string{"", "-1", "soon", "99999999999999999999"} {
		if got, ok := parseReset(header, now); ok {
			t.Errorf("parseReset(%q) = %s", header, got)
		}
	}
}

// GitLab names the end of a window and not its length.
func TestQuotaWithoutAWindow(t *testing.T) {
	t.Parallel()
	now := newHandTime().Now()
	q := quota{falls: chargedAfter}
	h := http.Header{}
	h.Set("ratelimit-limit", "2000")
	h.Set("ratelimit-remaining", "0")
	h.Set("ratelimit-reset", fmt.Sprint(now.Unix()+60))
	q.read(h, headOfTag, now)
	_, err := q.admit(headOfTag, now)
	if err == nil || err.Error() != "has no requests left for us in its window" {
		t.Errorf("%v", err)
	}
	if pause, err := q.admit(headOfTag, now.Add(61*time.Second)); pause != 0 || err != nil {
		t.Errorf("in the next window: %s, %v", pause, err)
	}
}
