package notify_test

import (
	"testing"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/notify"
)

func TestMatches(t *testing.T) {
	t.Parallel()
	run := runEvent(notice.RunFailed, "1", "t", 3)
	run.Image, run.HostLabels = "node-jobs", map[string]string{"pool": "etl", "rack": "7"}
	host := hostEvent(notice.HostDown)
	host.HostLabels = map[string]string{"pool": "etl"}
	success := runEvent(notice.RunSucceeded, "1", "t", 3)
	for name, test := range map[string]struct {
		route notify.Route
		event notice.Event
		want  bool
	}{
		"standard kinds":          {notify.Route{}, run, true},
		"not a standard kind":     {notify.Route{}, success, false},
		"a kind that is named":    {notify.Route{On: []notice.Kind{notice.RunSucceeded}}, success, true},
		"a kind that is not":      {notify.Route{On: []notice.Kind{notice.RunSucceeded}}, run, false},
		"image":                   {notify.Route{Images: []string{"python-*", "node-*"}}, run, true},
		"another image":           {notify.Route{Images: []string{"python-*"}}, run, false},
		"no image":                {notify.Route{Images: []string{"*"}}, host, false},
		"label":                   {notify.Route{Hosts: map[string]string{"pool": "etl"}}, host, true},
		"all labels":              {notify.Route{Hosts: map[string]string{"pool": "etl", "rack": "7"}}, host, false},
		"another value":           {notify.Route{Hosts: map[string]string{"pool": "ml"}}, run, false},
		"namespace":               {notify.Route{Namespaces: []string{"other", "default"}}, run, true},
		"another namespace":       {notify.Route{Namespaces: []string{"other"}}, run, false},
		"no run has a namespace":  {notify.Route{Namespaces: []string{"default"}}, host, false},
		"meta":                    {notify.Route{Meta: map[string]string{"customer": "AC*"}}, run, true},
		"another customer":        {notify.Route{Meta: map[string]string{"customer": "B*"}}, run, false},
		"meta that is not there":  {notify.Route{Meta: map[string]string{"owner": "*"}}, run, false},
		"meta where no run is":    {notify.Route{Meta: map[string]string{"customer": "*"}}, host, false},
		"all of it":               {notify.Route{Images: []string{"node-jobs"}, Hosts: map[string]string{"rack": "7"}, Meta: map[string]string{"process": "invoices"}}, run, true},
		"a broken pattern is one": {notify.Route{Images: []string{"[", "node-jobs"}}, run, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.route.Matches(test.event); got != test.want {
				t.Errorf("matches: %v", got)
			}
		})
	}
}
