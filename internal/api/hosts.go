package api

import "time"

// Host is one Docker host.
type Host struct {
	Name     string            `json:"name"`
	Endpoint string            `json:"endpoint,omitempty" doc:"Of the engine, as configured; missing: the host has left the configuration." example:"tcp://10.0.0.11:2376"`
	Aliases  []string          `json:"aliases" doc:"Other addresses under which callers know the engine, as configured. An address is one host's."`
	Labels   map[string]string `json:"labels" doc:"As configured."`
	Binds    []string          `json:"binds" doc:"Folders that this host has and others may lack, as configured: what mounts below one of them is placed on hosts that have it."`

	Contact     string    `json:"contact" enum:"unknown,reachable,unreachable,duplicate_engine"`
	Since       time.Time `json:"since" doc:"When the contact became what it is."`
	Reason      string    `json:"reason,omitempty" doc:"Why it is not reachable."`
	Engine      string    `json:"engine,omitempty" doc:"Version of the engine."`
	APIVersion  string    `json:"api_version,omitempty" doc:"As negotiated."`
	ImageStore  string    `json:"image_store,omitempty" enum:"classic,containerd"`
	Platform    string    `json:"platform,omitempty"`
	CPUs        int       `json:"cpus,omitempty"`
	Memory      int64     `json:"memory,omitempty" doc:"Bytes."`
	Disk        *Disk     `json:"disk,omitempty" doc:"Where the engine keeps images; missing where that is not known, as over tcp."`
	ClockOffset float64   `json:"clock_offset_seconds" doc:"The engine's clock minus the server's; 0 also where it is not known."`
	Drift       Drift     `json:"drift" doc:"What somebody else removed from the host, and was warmed again."`
	Paused      bool      `json:"paused,omitempty" doc:"No new pull is started: warming is paused here or on the fleet."`
	Drained     bool      `json:"drained,omitempty" doc:"No new run is placed here. Runs under way go on, and it is kept warm."`
	Pulling     int       `json:"pulling"`
	Pulls       int       `json:"pulls" doc:"Limit of pulls at once."`
	Running     int       `json:"running" doc:"Runs that are placed here and have not ended."`
	Runs        int       `json:"runs" doc:"Limit of runs at once."`
	MemoryAsked int64     `json:"memory_asked" doc:"Bytes that runs under way asked for."`
	CPUsAsked   float64   `json:"cpus_asked" doc:"CPUs that runs under way asked for."`
	Unclaimed   []string  `json:"unclaimed_containers" doc:"Ids of containers of this installation that no run claims."`
}

// DrainRequest takes a host out of placement, or back.
type DrainRequest struct {
	By string `json:"by,omitempty" maxLength:"256" doc:"Who asks, as they say." example:"ada@laptop"`
}

// Disk is a file system, in bytes.
type Disk struct {
	Free  int64 `json:"free" doc:"Bytes."`
	Total int64 `json:"total" doc:"Bytes."`
}

// Drift counts what somebody else removed from a host.
type Drift struct {
	Total    int        `json:"total" doc:"Since the server started."`
	LastHour int        `json:"last_hour"`
	LastAt   *time.Time `json:"last_at,omitempty"`
}

// Hosts lists the hosts.
type Hosts struct {
	Hosts []Host `json:"hosts"`
}

// PauseRequest asks for an activity to stop, or to go on.
type PauseRequest struct {
	What string `json:"what" enum:"watching,warming,pruning" doc:"watching: looking at tags by their schedules. warming: starting pulls; those under way go on. pruning: removing images."`
	Host string `json:"host,omitempty" maxLength:"128" doc:"Only on this host; watching is the fleet's alone. Left out: on the fleet."`
	By   string `json:"by,omitempty" maxLength:"256" doc:"Who asks, as they say." example:"ada@laptop"`
}

// Pause is an activity that somebody stopped.
type Pause struct {
	What  string    `json:"what" enum:"watching,warming,placing,pruning" doc:"placing: the host is drained."`
	Host  string    `json:"host,omitempty" doc:"Missing: the whole fleet."`
	Since time.Time `json:"since"`
	By    string    `json:"by,omitempty" doc:"Who asked, as they said."`
}

// Pauses lists what is paused, the fleet's first.
type Pauses struct {
	Pauses []Pause `json:"pauses"`
}
