package runner

import (
	"testing"

	"pgregory.net/rapid"
)

func TestUnfit(t *testing.T) {
	t.Parallel()
	host := candidate{host: "a", labels: map[string]string{"pool": "etl"}, binds: []string{"/srv/data"}, platform: "linux/amd64", memory: 100, nanoCPUs: 2e9}
	declared := []string{"/srv/data", "/srv/other"}
	tests := map[string]struct {
		want request
		fits bool
	}{
		"nothing special":          {request{}, true},
		"its name":                 {request{hosts: []string{"b", "a"}}, true},
		"another name":             {request{hosts: []string{"b"}}, false},
		"its label":                {request{labels: map[string]string{"pool": "etl"}}, true},
		"another label":            {request{labels: map[string]string{"pool": "web"}}, false},
		"a folder it declares":     {request{binds: []string{"/srv/data/in"}}, true},
		"one that another has":     {request{binds: []string{"/srv/other"}}, false},
		"one that nobody declares": {request{binds: []string{"/srv/everywhere"}}, true},
		"its platform":             {request{platform: "linux/amd64"}, true},
		"another platform":         {request{platform: "linux/arm64"}, false},
		"all of its memory":        {request{memory: 100}, true},
		"more than its memory":     {request{memory: 101}, false},
		"more CPUs than it has":    {request{nanoCPUs: 3e9}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if why := host.unfit(test.want, declared); (why == "") != test.fits {
				t.Errorf("unfit: %q", why)
			}
		})
	}
}

// A run is placed where there is room, and nowhere is the load less.
func TestPlaceProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Int64Range(0, 8)
		want := request{memory: number.Draw(t, "memory"), nanoCPUs: number.Draw(t, "cpus")}
		var all []candidate
		for i := range rapid.IntRange(0, 5).Draw(t, "hosts") {
			all = append(all, candidate{
				host: string(rune('a' + i)), slots: rapid.IntRange(0, 4).Draw(t, "slots"), inUse: rapid.IntRange(0, 4).Draw(t, "in use"),
				memory: number.Draw(t, "memory"), memoryUsed: number.Draw(t, "memory used"),
				nanoCPUs: number.Draw(t, "cpus"), nanoCPUsUsed: number.Draw(t, "cpus used"),
			})
		}
		name, ok := place(want, all)
		for _, c := range all {
			if !c.room(want) {
				if ok && c.host == name {
					t.Fatalf("placed on %s, which has no room", name)
				}
				continue
			}
			if !ok {
				t.Fatalf("%s has room, and nothing was placed", c.host)
			}
			chosen := all[name[0]-'a']
			if float64(c.inUse)/float64(c.slots) < float64(chosen.inUse)/float64(chosen.slots) {
				t.Fatalf("placed on %s; %s has less to do", name, c.host)
			}
		}
	})
}
