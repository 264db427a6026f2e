package webhook_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry/webhook"
)

func TestFields(t *testing.T) {
	t.Parallel()
	inBase64 := base64.StdEncoding.EncodeToString([]byte(`{"repo":"a/b"}`))
	for name, c := range map[string]struct {
		fields webhook.Fields
		body   string
		want   []webhook.Event
	}{
		"a ref":                    {webhook.Fields{Image: "x"}, `{"x":"registry.test/a:1"}`, team("registry.test", "a", "1", "", "")},
		"a tag of its own":         {webhook.Fields{Image: "x", Tag: "y"}, `{"x":"registry.test/a:1","y":"2"}`, team("registry.test", "a", "2", "", "")},
		"a tag that is a number":   {webhook.Fields{Repository: "x", Tag: "y"}, `{"x":"a","y":20240101}`, team("", "a", "20240101", "", "")},
		"a registry with a scheme": {webhook.Fields{Registry: "h", Repository: "x"}, `{"h":"https://registry.test:5000/x","x":"a"}`, team("registry.test:5000", "a", "", "", "")},
		"Docker Hub":               {webhook.Fields{Registry: "h", Repository: "x"}, `{"h":"docker.io","x":"node"}`, team("docker.io", "library/node", "", "", "")},
		"a bare digest":            {webhook.Fields{Repository: "x", Digest: "d"}, `{"x":"a","d":"` + digestOnes.Hex() + `"}`, team("", "a", "", digestOnes, "")},
		"the list of a repository": {
			webhook.Fields{Repository: "repo", Tag: "tags[]", ID: "id"},
			`{"repo":"a","tags":["1","2"],"id":"x"}`,
			append(team("", "a", "1", "", "x"), team("", "a", "2", "", "x/1")...),
		},
		"a list in a list": {
			webhook.Fields{Repository: "repos[].name", Tag: "repos[].tags[].name"},
			`{"repos":[{"name":"a","tags":[{"name":"1"},{"name":"2"}]},{"name":"b","tags":[{}]},{"name":"c"}]}`,
			append(append(team("", "a", "1", "", ""), team("", "a", "2", "", "")...), team("", "b", "", "", "")...),
		},
		"in step where one lacks": {
			webhook.Fields{Repository: "e[].r", Tag: "e[].t"},
			`{"e":[{"r":"a"},{"r":"b","t":"2"}]}`,
			append(team("", "a", "", "", ""), team("", "b", "2", "", "")...),
		},
		"a list at the top":          {webhook.Fields{Image: "[].x"}, `[{"x":"registry.test/a:1"}]`, team("registry.test", "a", "1", "", "")},
		"JSON in a string":           {webhook.Fields{Repository: "m.repo"}, `{"m":"{\"repo\":\"a/b\"}"}`, team("", "a/b", "", "", "")},
		"JSON in base64":             {webhook.Fields{Repository: "m.repo"}, `{"m":"` + inBase64 + `"}`, team("", "a/b", "", "", "")},
		"a string and what is in it": {webhook.Fields{Repository: "m.repo", ID: "m"}, `{"m":"{\"repo\":\"a/b\"}"}`, team("", "a/b", "", "", `{"repo":"a/b"}`)},
		"a list in a string":         {webhook.Fields{Repository: "m.e[].r", Tag: "m.e[].t"}, `{"m":"{\"e\":[{\"r\":\"a\",\"t\":\"1\"}]}"}`, team("", "a", "1", "", "")},
		"a string that is a list":    {webhook.Fields{Repository: "m[].r"}, `{"m":"[{\"r\":\"a\"}]"}`, team("", "a", "", "", "")},
		"a text of paths":            {webhook.Fields{Image: "{h}/x/{p.r}:{t}"}, `{"h":"registry.test","p":{"r":"a"},"t":1}`, team("registry.test", "x/a", "1", "", "")},
		"a text of lists":            {webhook.Fields{Image: "registry.test/{e[].r}:{e[].t}"}, `{"e":[{"r":"a","t":"1"}]}`, team("registry.test", "a", "1", "", "")},
		"a text that lacks a value":  {webhook.Fields{Image: "registry.test/{r}:{t}"}, `{"r":"a"}`, nil},
		"nothing there":              {webhook.Fields{Image: "a.b.c"}, `{"a":{}}`, nil},
		"no list there":              {webhook.Fields{Image: "a.b[].c"}, `{"a":{}}`, nil},
		"null for a list":            {webhook.Fields{Image: "a[].c"}, `{"a":null}`, nil},
		"null for a value":           {webhook.Fields{Image: "a"}, `{"a":null}`, nil},
		"a signature":                {webhook.Fields{Repository: "r", Tag: "t"}, `{"r":"a","t":"sha256-1.sig"}`, nil},
	} {
		if err := c.fields.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, err := webhook.Decode(webhook.Generic, &c.fields, body(c.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestFieldsTakeTheHeadersID(t *testing.T) {
	t.Parallel()
	d := body(`{"r":"a"}`, "X-Prewarm-Id", "x")
	for _, fields := range []webhook.Fields{{Repository: "r"}, {Repository: "r", ID: "missing"}} {
		got, err := webhook.Decode(webhook.Generic, &fields, d)
		if diff := cmp.Diff(team("", "a", "", "", "x"), got); diff != "" || err != nil {
			t.Errorf("%+v: %v (-want +got):\n%s", fields, err, diff)
		}
	}
}

func TestFieldsOfAWrongBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fields webhook.Fields
		body   string
		want   string
	}{
		{webhook.Fields{Image: "a"}, `x`, "the body is no JSON: invalid character 'x' looking for beginning of value"},
		{webhook.Fields{Image: "a.b"}, `{"a":{"b":{}}}`, "a.b: want a string or a number"},
		{webhook.Fields{Image: "a"}, `{"a":true}`, "a: want a string or a number"},
		{webhook.Fields{Image: "a.b"}, `{"a":[]}`, "b: what should hold it is no object"},
		{webhook.Fields{Image: "a.b"}, `{"a":"text"}`, "b: what should hold it is no object"},
		{webhook.Fields{Image: "a[].b"}, `{"a":{}}`, "a: want an array"},
		{webhook.Fields{Image: "a[].b"}, `{"a":["x"]}`, "b: what should hold it is no object"},
		{webhook.Fields{Repository: "a"}, `{"a":"A"}`, `a: parse image reference "registry.invalid/A": invalid reference format: repository name (A) must be lowercase`},
		{webhook.Fields{Repository: "a[]"}, `{"a":[` + strings.Repeat(`"a",`, 5000) + `"a"]}`, "it names 1001 images, and 1000 are allowed"},
	} {
		events, err := webhook.Decode(webhook.Generic, &c.fields, body(c.body))
		want := "read a delivery of kind generic: " + c.want
		if err == nil || err.Error() != want || problem.CodeOf(err) != problem.WebhookBody || events != nil {
			t.Errorf("got  %v, %v\nwant %s", events, err, want)
		}
	}
}

func TestFieldsCheck(t *testing.T) {
	t.Parallel()
	noPath := func(p string) string {
		return fmt.Sprintf("%q is no path; write names with dots between them, and [] after that of a list: detail.image-tag, resources[].tag", p)
	}
	for want, fields := range map[string]webhook.Fields{
		"fields: image or repository is required":                                 {Tag: "a"},
		"fields.image: " + noPath("a..b"):                                         {Image: "a..b"},
		"fields.image: " + noPath("a.[]"):                                         {Image: "a.[]"},
		"fields.image: " + noPath("a[0].b"):                                       {Image: "a[0].b"},
		"fields.image: " + noPath("a b"):                                          {Image: "a b"},
		"fields.image: " + noPath(""):                                             {Image: "x/{}"},
		"fields.tag: " + noPath("."):                                              {Image: "a", Tag: "."},
		"fields.image: a { has no } behind it":                                    {Image: "x/{a"},
		"fields.image: a } has no { before it":                                    {Image: "x/a}"},
		"fields.digest: a[] and b[] are lists that do not go in step":             {Image: "a[].x", Digest: "b[].y"},
		"fields.id: a[].b[] and a[].c[] are lists that do not go in step":         {Image: "a[].b[].x", ID: "a[].c[].y"},
		"fields.repository: a[] and b[] are lists that do not go in step":         {Registry: "a[].x", Repository: "{a[].y}/{b[].y}"},
		"fields.repository: a[].b[] and a[].c[] are lists that do not go in step": {Registry: "a[].b[]", Repository: "a[].c[]"},
	} {
		if err := fields.Check(); err == nil || err.Error() != want {
			t.Errorf("%+v\ngot  %v\nwant %s", fields, err, want)
		}
		if _, err := webhook.Decode(webhook.Generic, &fields, body(`{}`)); err == nil {
			t.Errorf("%+v: a body is read by it", fields)
		}
	}
}

// However a mapping and a body are made, reading costs about as much as the body
// is long: each string is opened once, not once for each element.
func TestFieldsOpenAStringOnce(t *testing.T) {
	t.Parallel()
	text := strings.Repeat(" ", 500_000) + `{\"r\":\"a\"}`
	big := `{"m":"` + text + `","e":[` + strings.Repeat(`{},`, 100_000) + `{"t":"1"}]}`
	fields := webhook.Fields{Repository: "{e[].t}/{m.r}"}
	start := time.Now()
	if _, err := webhook.Decode(webhook.Generic, &fields, body(big)); err != nil {
		t.Fatal(err)
	}
	fields = webhook.Fields{Registry: "m.x", Repository: "m.y", Tag: "e[].t"}
	if _, err := webhook.Decode(webhook.Generic, &fields, body(big)); err != nil {
		t.Fatal(err)
	}
	// One reading of the string for each element is more than a minute.
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}
