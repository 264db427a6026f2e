package prune

import (
	"testing"
	"time"
)

// What people read.
func TestWhy(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		policy Policy
		image  string
	}{
		"current of node-jobs:1.4.2 since 2026-11-28 09:14":                                                    {Policy{}, "a wanted claim=current:node-jobs:1.4.2"},
		"on its way to be current of node-jobs:1.4.2 since 2026-11-28 09:14":                                   {Policy{}, "a wanted claim=coming:node-jobs:1.4.2"},
		"held by the pin scope dag_etl since 2026-11-28 09:14":                                                 {Policy{}, "a wanted claim=scope:dag_etl"},
		"leased by run 0199 since 2026-11-28 09:14":                                                            {Policy{}, "a wanted claim=leased:run_0199"},
		"the host is busy with it since 2026-11-28 09:14":                                                      {Policy{}, "a wanted claim=pulling"},
		"claimed by somebody since 2026-11-28 09:14":                                                           {Policy{}, "a wanted claim=new:somebody"},
		"claimed since 2026-11-28 09:14":                                                                       {Policy{}, "a wanted claim=new"},
		"in use by container web":                                                                              {Policy{}, "a in=web"},
		"in use by containers web, db, mq":                                                                     {Policy{}, "a in=web,db,mq"},
		"in use by containers web, db, mq and 2 more":                                                          {Policy{}, "a in=web,db,mq,x,y"},
		"has a keep-tag that nobody here remembers: another installation's, it seems":                          {Policy{}, "a unknown"},
		"wanted, though nothing says by whom":                                                                  {Policy{}, "a wanted"},
		"its name registry.test/base/x:1 is protected by registry.test/base/*":                                 {Policy{Protect: protecting(t, "registry.test/base/*")}, "a names=registry.test/base/x:1"},
		"its name registry.test/base/x:1 is protected":                                                         {Policy{Protect: protecting(t, "registry.test/base/x:1")}, "a names=registry.test/base/x:1"},
		"the last digest of registry.test/base/x:1 on the host, which registry.test/base/* protects":           {Policy{Protect: protecting(t, "registry.test/base/*")}, "a superseded refs=registry.test/base/x:1"},
		"not ours, and prune.unmanaged keeps it":                                                               {Policy{}, "a"},
		"not ours, and only images without a tag go then":                                                      {Policy{Unmanaged: DanglingOnly}, "a names=x:1"},
		"on the host since 2026-11-28 09:00: min_age keeps it for 21 hours more":                               {Policy{}, "a superseded age=3h min_age=24h"},
		"last used 3 hours ago: unused_for keeps it for 7 days more":                                           {Policy{}, "a superseded used=3h unused_for=7d"},
		"not used since it was first seen 2 days ago: unused_for keeps it for 5 days more":                     {Policy{}, "a superseded unused_for=7d"},
		"kept for a rollback of jobs, superseded since 2026-11-28 09:14":                                       {Policy{}, "a kept since=2h46m"},
		"kept for a rollback of jobs, superseded since 2026-11-28 09:14, and stays even where space is needed": {Policy{}, "a kept since=2h46m keep_min=1"},
		"kept for a rollback; enough becomes free without it":                                                  {Policy{Need: 10}, "a kept image=none\nb superseded"},
		"kept for a rollback of jobs; space is needed, and all that may go would free too little":              {Policy{Need: 11, AllOrNothing: true}, "a kept"},
		"kept for a rollback of jobs; space is needed, and its removal would free none":                        {Policy{Need: 11}, "a kept names=x:1"},
		"last used 1 minute ago, may go where space is needed":                                                 {Policy{Unmanaged: LeastRecently}, "a names=x:1 used=1m"},
		"this pass is about etl alone":                                                                         {Policy{OnlyImage: "etl"}, "a superseded"},
		"never was current of jobs, last used 3 hours ago":                                                     {Policy{}, "a never_current used=3h"},
		"never was current, last used 3 hours ago":                                                             {Policy{}, "a never_current image=none used=3h"},
		"not wanted by us, and has no tag, not used since it was first seen 2 days ago":                        {Policy{Unmanaged: DanglingOnly}, "a"},
		"not wanted by us, last used 3 days ago":                                                               {Policy{Unmanaged: LeastRecently, Need: 1}, "a names=x:1 age=9d used=3d"},
		"superseded beyond the 2 that are kept, last used 3 days ago":                                          {Policy{}, "a superseded age=9d used=3d keep=2"},
		"superseded beyond those that are kept, last used 3 days ago; the others' names of it stay":            {Policy{}, "a superseded age=9d used=3d names=x:1"},
		"no longer in the configuration since 2026-11-28 09:14, last used 3 days ago":                          {Policy{}, "a orphaned since=2h46m age=9d used=3d"},
		"kept for a rollback of jobs, and space is needed, last used 3 days ago":                               {Policy{Need: 1}, "a kept age=9d used=3d"},
	} {
		inv := host(t, c.image)
		for i := range inv.Images[0].Pins {
			for j := range inv.Images[0].Pins[i].Claims {
				claim := &inv.Images[0].Pins[i].Claims[j]
				claim.Since = noon.Add(-(2*time.Hour + 46*time.Minute))
				if claim.Detail == "run_0199" {
					claim.Detail = "run 0199"
				}
			}
		}
		for _, v := range Decide(c.policy, inv).Verdicts {
			if v.Image.ID == "a" && v.Why != want {
				t.Errorf("%s\ngot  %q\nwant %q", c.image, v.Why, want)
			}
		}
	}
}

// Times are told where the host's clock was read.
func TestWhyTellsLocalTime(t *testing.T) {
	t.Parallel()
	inv := host(t, "a wanted claim=current:jobs")
	inv.Images[0].Pins[0].Claims[0].Since = noon
	inv.Now = noon.In(time.FixedZone("", 3600))
	if got, want := Decide(Policy{}, inv).Verdicts[0].Why, "current of jobs since 2026-11-28 13:00"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
