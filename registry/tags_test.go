package registry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
)

// pages serves lists of tags, each with a link to the next.
func pages(link string, lists ...[]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("page"))
		if n+1 < len(lists) {
			w.Header().Set("Link", fmt.Sprintf(link, n+1))
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"name": "etl/node", "tags": lists[n]})
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	const next = `</v2/etl/node/tags/list?n=1000&page=%d>; rel="next"`
	for _, tc := range []struct {
		name  string
		fault http.HandlerFunc
		want  []string
	}{
		{"one page, in no order", pages(next, []string{"v2", "v10", "latest", "v2"}), []string{"latest", "v10", "v2"}},
		{"three pages", pages(next, []string{"c"}, []string{"b", "a"}, []string{"d"}), []string{"a", "b", "c", "d"}},
		{"a relative link", pages(`<list?page=%d>; rel="next"`, []string{"a"}, []string{"b"}), []string{"a", "b"}},
		{"a page without tags", pages(next, nil, []string{"b"}), []string{"b"}},
		{"no tags", answer(200, `{"name":"etl/node","tags":null}`), []string{}},
		{"an empty list", answer(200, `{"tags":[]}`), []string{}},
		{"what can't be a tag", answer(200, `{"name":"x","tags":["ok","","a b","-x","sha256:00","a/b"]}`), []string{"ok"}},
		{"a link to nothing", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "")
			answer(200, `{"tags":["a"]}`)(w, r)
		}, []string{"a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := plainFake(t)
			f.login, f.fault = "bearer", tc.fault
			repo := must(ParseRepository(f.host() + "/etl/node"))(t)
			if diff := cmp.Diff(tc.want, must(testClient(t, loggedIn(f)).Tags(t.Context(), repo))(t)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTagsOfARealRegistry(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	img := testImage(t, "linux/amd64", 1)
	want := make([]string, 0, 1500)
	for i := range 1500 {
		tag := fmt.Sprintf("v%04d", i)
		f.push(t, "etl/node", tag, img)
		want = append(want, tag)
	}
	c := testClient(t, anonymous(f))
	got := must(c.Tags(t.Context(), must(ParseRepository(f.host()+"/etl/node"))(t)))(t)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err := c.Tags(t.Context(), must(ParseRepository(f.host()+"/etl/nothing"))(t))
	check(t, err, problem.TagNotFound, "list the tags of "+f.host()+"/etl/nothing", "does not have it")
}

func TestFaultsOfAListOfTags(t *testing.T) {
	t.Parallel()
	link := func(value string) http.HandlerFunc { return answer(200, `{"tags":["a"]}`, "Link", value) }
	for _, tc := range []struct {
		name  string
		fault http.HandlerFunc
		code  problem.Code
		says  string
	}{
		{"401", answer(401, ""), problem.RegistryAuth, "refuses the credentials"},
		{"404", answer(404, `{"errors":[{"code":"NAME_UNKNOWN"}]}`), problem.TagNotFound, "does not have it (404 Not Found, NAME_UNKNOWN)"},
		{"405", answer(405, ""), problem.RegistryAnswer, "no answer of a registry (405"},
		{"429", answer(429, "", "Retry-After", "120"), problem.RegistryLimited, "fewer requests"},
		{"503", answer(503, ""), problem.RegistryUnavailable, "has a fault (503"},
		{"login page", answer(200, "<html>log in</html>", "Content-Type", "text/html"), problem.RegistryAnswer, "list of tags is not one"},
		{"other JSON", answer(200, `{"ok":true}`), problem.RegistryAnswer, "list of tags is not one"},
		{"nothing", answer(200, ""), problem.RegistryAnswer, "list of tags is not one"},
		{"tags of another kind", answer(200, `{"tags":[1,2]}`), problem.RegistryAnswer, "list of tags is not one"},
		{"cut", func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"tags\":[\"a\",")
		}, problem.RegistryUnavailable, "cut the connection"},
		{"link to another host", link(`<https://elsewhere.example.com/v2/etl/node/tags/list?n=1>; rel="next"`), problem.RegistryAnswer, "leads to another host"},
		{"link that is none", link("next, please"), problem.RegistryAnswer, "malformed"},
		{"link that never ends", link(`</v2/etl/node/tags/list?n=1000>; rel="next"`), problem.RegistryAnswer, "more than 200 pages"},
		{"redirect to another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.example.com/", http.StatusFound)
		}, problem.RegistryAnswer, "redirects its list of tags to another host"},
		{"too many", answer(200, `{"tags":["a"`+strings.Repeat(`,"a"`, maxTags)+`]}`), problem.RegistryAnswer, "more than 1000000 tags"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := plainFake(t)
			f.login, f.fault = "bearer", tc.fault
			_, err := testClient(t, loggedIn(f)).Tags(t.Context(), must(ParseRepository(f.host()+"/etl/node"))(t))
			check(t, err, tc.code, tc.says, "list the tags of "+f.host()+"/etl/node", "registry "+f.host())
		})
	}
	_, err := testClient(t).Tags(t.Context(), Repository{})
	check(t, err, problem.InvalidRequest, "no repository")
}

// One answer that fails does not lose the list.
func TestAListOfTagsOutlivesABlip(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	var asked atomic.Int32
	f.fault = func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		answer(200, `{"tags":["a"]}`)(w, r)
	}
	tags, err := testClient(t, Access{Name: f.host(), PlainHTTP: true}).Tags(t.Context(), must(ParseRepository(f.host()+"/etl/node"))(t))
	if err != nil || !slices.Equal(tags, []string{"a"}) || asked.Load() != 2 {
		t.Errorf("%v, %v after %d requests", tags, err, asked.Load())
	}
}

// A registry behind a proxy may link to itself by http.
func TestFollowKeepsTheScheme(t *testing.T) {
	t.Parallel()
	from := must(url.Parse("https://r.example.com/v2/a/tags/list?n=1000"))(t)
	got := must(follow(from, `<http://R.example.com/v2/a/tags/list?last=b>; rel="next"`))(t)
	if got.String() != "https://R.example.com/v2/a/tags/list?last=b" {
		t.Errorf("follow = %s", got)
	}
}
