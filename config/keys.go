package config

import "maps"

// key is what an editor is told of a key, beside its type.
type key struct {
	about    string
	required bool
	standard any      // the default, where it is a plain value
	oneOf    []string // the only values
	pattern  string   // of the text, or of each in a list; what Go and ECMAScript read alike
	least    int      // of a number, or of a length
	bare     bool     // text that may look like a number
}

// rule is what holds between the keys of a mapping.
type rule struct {
	most     int                 // keys at once
	together map[string][]string // a key, and those it needs
	apart    []string            // keys that are not all written
}

// What stands in several places.
const (
	minAgeAbout      = "How long an image stays after it was first seen on the host, as in 24h."
	unusedForAbout   = "How long nobody must have used it, as in 168h; 0 for no matter."
	keepMinAbout     = "Earlier digests of a tag that stay even where space is needed."
	protectAbout     = "Patterns of the names of images that stay, as in registry.example.com/base/*."
	unmanagedAbout   = "What becomes of images that are not Prewarm's."
	maxRemovalsAbout = "How many images a pass may remove; 0 for no bound."
	dryRunAbout      = "Passes say what would go, and remove nothing."
)

var unmanagedWays = []string{string(UnmanagedKeep), string(UnmanagedDangling), string(UnmanagedLRU)}

// Patterns of values.
const (
	markPattern       = `^(` + sharePattern + `|([0-9]+\.?[0-9]*|\.[0-9]+) ?([bB]|[kKmMgGtT]([iI]?[bB])?)?)$`
	swapPattern       = `^(-1|([0-9]+\.?[0-9]*|\.[0-9]+) ?([bB]|[kKmMgGtT]([iI]?[bB])?)?)$`
	namePattern       = `^[a-z0-9][a-z0-9.-]{0,62}$`
	ratePattern       = `^[0-9]*\.?[0-9]+\.?/[smh]$`
	durationPattern   = `^\+?(0|([0-9]*\.?[0-9]+\.?(ns|us|µs|ms|s|m|h))+)$`
	hostPattern       = `^[^/@ ]+$`
	mirrorPattern     = `^[^@ :]+(:[0-9]+)?(/[a-z0-9._/-]*)?$`
	fullPathPattern   = `^/`
	bindPattern       = `^/([^*]*|[^*]*/\*\*|\*\*)$`
	volumePattern     = `^[A-Za-z0-9][A-Za-z0-9_.-]+\*?$`
	variablePattern   = `^[^= \t\n]+=`
	capabilityPattern = `^([cC][aA][pP]_)?[A-Za-z_]+$`
	securityPattern   = `^(no-new-privileges|apparmor=|label=|seccomp=)`
	syslogPattern     = `^([uU][nN][iI][xX]:///|([tT][cC][pP]|[uU][dD][pP])://[^/@]+:[0-9]+$)`
	aliasPattern      = `^[!-~]+$`
	endpointPattern   = `^([uU][nN][iI][xX]:///|[tT][cC][pP]://|[sS][sS][hH]://[^@/]+@)[^?#]+$`
)

// keys are the keys of each struct of the document, by its name.
var keys = together(fleetKeys, accessKeys, notifyKeys)

func together(parts ...map[string]key) map[string]key {
	all := make(map[string]key)
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

var fleetKeys = map[string]key{
	"document.server":     {about: "Where the API listens, and how."},
	"document.auth":       {about: "Who may use the API, and for what. Without it, and without tokens of prewarm token create, everybody on this machine."},
	"document.state":      {about: "What Prewarm keeps between its lives."},
	"document.limits":     {about: "Limits over all hosts and registries."},
	"document.registries": {about: "How registries are reached that need more than HTTPS and the Docker config file."},
	"document.hosts":      {about: "The Docker Engines."},
	"document.hosts_file": {about: "A file with more hosts, read again when it changes."},
	"document.images":     {about: "What is kept warm, and where."},
	"document.prune":      {about: "When images go from the hosts, and which may."},
	"document.runner":     {about: "What holds for all runs."},
	"document.webhooks":   {about: "Who may tell that an image was pushed."},
	"document.notify":     {about: "Who is told what."},

	"state.path": {about: "The folder of what must not be forgotten.", standard: defaultFolder, pattern: `^[^~]`, bare: true},
	"state.keep": {
		about:    "How long it is remembered what was done: calls, acts, prune passes, deliveries of webhooks, tokens that open nothing any more.",
		standard: "2160h", pattern: durationPattern,
	},

	"fleet.pulls": {about: "Pulls at the same time on all hosts together. Without it there is no limit.", least: 1},
	"fleet.rate":  {about: "Requests to all registries together, as in 50/s, 1000/m or 5000/h.", pattern: ratePattern},

	"registry.name":          {about: "The registry's host as image references write it: docker.io, registry.example.com:5000.", required: true, pattern: hostPattern},
	"registry.username":      {about: "Goes with password or password_file.", least: 1, bare: true},
	"registry.password":      {about: "Better: password_file.", least: 1, bare: true},
	"registry.password_file": {about: "A file with the password in it.", pattern: `^[^~]`},
	"registry.plain_http":    {about: "HTTP without TLS.", standard: false},
	"registry.ca_file":       {about: "A PEM file of root certificates that are believed beside the system's.", pattern: `^[^~]`},
	"registry.cert_file":     {about: "A PEM file with a client certificate. Goes with key_file.", pattern: `^[^~]`},
	"registry.key_file":      {about: "A PEM file with the client certificate's key.", pattern: `^[^~]`},
	"registry.rate":          {about: "Requests to this registry, as in 10/s, 100/m or 500/h.", pattern: ratePattern},
	"registry.pulls":         {about: "Pulls at the same time from this registry on all hosts together. Without it there is no limit.", least: 1},
	"registry.mirror":        {about: "Where hosts pull this registry's images from: host[:port], with a path's beginning where the mirror has one.", pattern: mirrorPattern},
	"registry.seed":          {about: "The hosts pull through one shared cache: one of them pulls first, then the others. A mirror implies it.", standard: false},

	"host.name":     {about: "The host's name.", required: true, pattern: namePattern, bare: true},
	"host.endpoint": {about: "unix:///path, tcp://host:port or ssh://user@host[:port][/path.sock].", required: true, pattern: endpointPattern},
	"host.aliases":  {about: "Other addresses under which callers know this engine, as in tcp://10.0.0.11:2375: what they name is placed here.", pattern: aliasPattern},
	"host.insecure": {about: "Plain tcp without TLS: root on that machine for everyone who reaches the port.", standard: false},
	"host.tls":      {about: "TLS of a tcp endpoint."},
	"host.ssh":      {about: "The login of an ssh endpoint."},
	"host.labels":   {about: "For the selectors of images."},
	"host.limits":   {about: "Limits of this host."},
	"host.disk":     {about: "How full images may make its disk."},
	"host.env":      {about: "Variables (NAME=value) of every container there, below those of images and submits.", pattern: variablePattern},
	"host.binds":    {about: "Folders that this host has and others may lack: what mounts below them is placed on hosts that declare them.", pattern: fullPathPattern},

	"tls.ca":          {about: "A PEM file of the root certificates that the engine's must come from. Without it, the system's.", pattern: `^[^~]`},
	"tls.cert":        {about: "A PEM file with the client certificate. Goes with key.", pattern: `^[^~]`},
	"tls.key":         {about: "A PEM file with the client certificate's key.", pattern: `^[^~]`},
	"tls.server_name": {about: "The name in the engine's certificate, where it is not the endpoint's host.", pattern: `^[A-Za-z0-9.:_-]+$`, bare: true},
	"ssh.key_file":    {about: "A private key. Without it, the keys of the agent.", pattern: `^[^~]`},
	"ssh.known_hosts": {about: "The file of the keys that hosts must have. Without it, ~/.ssh/known_hosts of Prewarm's user.", pattern: `^[^~]`},

	"limits.pulls": {about: "Pulls at the same time.", standard: 2, least: 1},
	"limits.runs":  {about: "Runs at the same time.", standard: 8, least: 1},

	"disk.high":   {about: "Where images begin to go: a share of the disk or of the budget, or bytes, as in 85% or 400g.", pattern: markPattern, bare: true},
	"disk.low":    {about: "Where that ends, in the same unit. Without it, at high.", pattern: markPattern, bare: true},
	"disk.budget": {about: "What images may take, as in 50g, where the disk can't be seen (tcp). Alone, high is all of it.", pattern: sizePattern, bare: true},

	"image.name":       {about: "What prewarm run calls it.", required: true, pattern: namePattern, bare: true},
	"image.repository": {about: "The image's name without tag and digest.", required: true, pattern: `^[^@ ]+$`, bare: true},
	"image.track":      {about: "What of the repository is kept warm: one of tag, digest and select."},
	"image.hosts":      {about: "Labels that a host must have, all of them. Without any, every host."},
	"image.watch":      {about: "When to ask the registry: @every 1m, @hourly, or five fields of cron.", standard: defaultWatch},
	"image.windows":    {about: "When scheduled pulls may begin. Without any, always."},
	"image.cooldown":   {about: "How long a new digest waits before it is pulled, as in 10m.", pattern: durationPattern, bare: true},
	"image.approve":    {about: "A person approves each new digest.", oneOf: []string{approveWord}},
	"image.verify":     {about: "A program that must agree with each new digest."},
	"image.promote":    {about: "When what is warm goes live."},
	"image.retag":      {about: "Move repository:tag on the hosts at promotion.", standard: false},
	"image.keep":       {about: "Earlier digests that stay warm for rollback.", standard: defaultKeep},
	"image.prune":      {about: "What its digests have of their own among the rules of pruning."},
	"image.run":        {about: "What its runs get where a submit says nothing."},

	"track.tag":    {about: "The tag to follow.", standard: defaultTag, pattern: `^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`, bare: true},
	"track.digest": {about: "Content that is kept warm, whatever tags do.", pattern: `^sha256:[0-9a-f]{64}$`},
	"track.select": {about: "Rules by which tags are chosen."},

	"select.include":   {about: "A regular expression (RE2) that a tag must match somewhere.", bare: true},
	"select.exclude":   {about: "A regular expression (RE2) that a tag must not match.", bare: true},
	"select.extract":   {about: "What of a tag is compared, made of include's groups: $1, ${name}.", pattern: `\$`},
	"select.order":     {about: "What is newer.", standard: "semver", oneOf: []string{"semver", "numeric", "alpha"}},
	"select.range":     {about: "Versions that are taken, as in '>=1.2 <2'. With order semver only.", bare: true},
	"select.newest":    {about: "How many tags are kept warm.", standard: 1, least: 1},
	"select.downgrade": {about: "Go back to an older tag when a chosen one vanished.", standard: false},

	"window.days":  {about: "Days of the week, as in mon-fri or sat,sun. Without it, all.", pattern: `[a-zA-Z]`},
	"window.dates": {about: "Days of the month, as in 1-26, or 1..-4 for up to the fourth-last. Without it, all.", pattern: `[0-9]`, bare: true},
	"window.from":  {about: "When it opens on such a day, as in 20:00.", standard: "00:00", pattern: `^[0-9]{1,2}:[0-9]{2}$`},
	"window.to":    {about: "When it closes, 24:00 at most; if before from, on the next day.", standard: "24:00", pattern: `^[0-9]{1,2}:[0-9]{2}$`},
	"window.zone":  {about: "An IANA time zone, as in Europe/Berlin. Without it, the server's."},

	"verify.command": {about: "The program and its arguments. {{.Pin}}, {{.Repository}}, {{.Digest}}, {{.Tag}} and {{.Image}} are filled in.", least: 1},
	"verify.timeout": {about: "How long the program may take.", standard: "1m", pattern: durationPattern},

	"promote.when":      {about: "How many of the hosts must be warm: all, any or a share.", standard: "all", pattern: `^(all|any|0*([1-9][0-9]?|100)%)$`},
	"promote.straggler": {about: "How long a host that fails is waited for.", standard: "15m", pattern: durationPattern, bare: true},
	"promote.windows":   {about: "When promotions may happen. Without any, always."},

	"imagePrune.min_age":    {about: minAgeAbout, pattern: durationPattern, bare: true},
	"imagePrune.unused_for": {about: unusedForAbout, pattern: durationPattern, bare: true},
	"imagePrune.keep_min":   {about: keepMinAbout + " At most keep."},

	"run.env":          {about: "Variables, NAME=value. Those of a submit go before them, name by name. No place for secrets.", pattern: variablePattern},
	"run.user":         {about: "Name or uid, with :group or :gid.", pattern: userRule.String(), bare: true},
	"run.workdir":      {about: "An absolute path in the container.", pattern: fullPathPattern},
	"run.network":      {about: "bridge, none, or a network's name on the hosts.", pattern: networkName.String(), bare: true},
	"run.dns":          {about: "Addresses of name servers."},
	"run.extra_hosts":  {about: "More names with their addresses, as in db:10.0.0.5.", pattern: `^[A-Za-z0-9._-]+[:=].`},
	"run.mounts":       {about: "As docker run takes them: type=bind,source=/srv/data,target=/data,readonly or /srv/data:/data:ro."},
	"run.memory":       {about: "Limit of memory, as in 2g. It counts against the host's.", pattern: sizePattern, bare: true},
	"run.memory_swap":  {about: "Limit of memory and swap together, as in 3g; -1 for unlimited swap.", pattern: swapPattern, bare: true},
	"run.cpus":         {about: "Limit of CPUs, as in 1.5. It counts against the host's.", pattern: cpusRule.String(), bare: true},
	"run.cpu_shares":   {about: "A weight among containers; 1024 is usual.", least: 1},
	"run.pids_limit":   {about: "Processes and threads at the same time.", least: 1},
	"run.shm_size":     {about: "Size of /dev/shm, as in 256m.", pattern: sizePattern, bare: true},
	"run.ulimits":      {about: "Limits of processes, as in nofile=1024:2048.", pattern: `^[a-z]+=-?[0-9]+(:-?[0-9]+)?$`},
	"run.init":         {about: "The engine's own init is process 1.", standard: false},
	"run.read_only":    {about: "The container's root file system can't be written.", standard: false},
	"run.cap_drop":     {about: "Capabilities that are taken away, as in NET_RAW, or ALL.", pattern: capabilityPattern},
	"run.security_opt": {about: "As for docker run: no-new-privileges, seccomp=…, apparmor=…, label=….", pattern: securityPattern},
	"run.labels":       {about: "Labels of the containers."},
	"run.stop_signal":  {about: "What asks the program to end, as in SIGINT.", bare: true},
	"run.stop_grace":   {about: "Time between the stop signal and the kill. Without it, runner.grace.", pattern: durationPattern},
	"run.timeout":      {about: "How long a run may take, queueing included, as in 2h. Without it, as long as it likes.", pattern: durationPattern},
	"run.concurrency":  {about: "Runs of the image at the same time. Without it there is no limit.", least: 1},

	"prune.schedule":     {about: "When passes are made: as watch of an image, or off.", standard: defaultPruneSchedule, bare: true},
	"prune.windows":      {about: "When passes by the schedule may begin. Without any, always."},
	"prune.min_age":      {about: minAgeAbout, standard: "24h", pattern: durationPattern, bare: true},
	"prune.unused_for":   {about: unusedForAbout, standard: "0s", pattern: durationPattern, bare: true},
	"prune.keep_min":     {about: keepMinAbout, standard: 1},
	"prune.protect":      {about: protectAbout, pattern: protectPattern},
	"prune.unmanaged":    {about: unmanagedAbout, standard: "keep", oneOf: unmanagedWays},
	"prune.max_removals": {about: maxRemovalsAbout, standard: 0},
	"prune.dry_run":      {about: dryRunAbout, standard: false},
	"prune.hosts":        {about: "What is different on hosts with some labels. Of two entries for a host the later one counts."},

	"pruneHost.labels":       {about: "Labels that a host must have, all of them.", required: true},
	"pruneHost.min_age":      {about: minAgeAbout, pattern: durationPattern, bare: true},
	"pruneHost.unused_for":   {about: unusedForAbout, pattern: durationPattern, bare: true},
	"pruneHost.keep_min":     {about: keepMinAbout},
	"pruneHost.protect":      {about: protectAbout + " Beside those of all hosts.", pattern: protectPattern},
	"pruneHost.unmanaged":    {about: unmanagedAbout, oneOf: unmanagedWays},
	"pruneHost.max_removals": {about: maxRemovalsAbout},
	"pruneHost.dry_run":      {about: dryRunAbout},

	"runner.grace":           {about: "Time between the stop signal and the kill.", standard: "10s", pattern: durationPattern},
	"runner.queue":           {about: "Runs that may wait.", standard: 1000, least: 1},
	"runner.unclaimed":       {about: "What is done about containers of this installation that no run claims.", standard: "stop", oneOf: []string{"stop", "keep"}},
	"runner.keep":            {about: "How long ended runs are remembered.", standard: "720h", pattern: durationPattern},
	"runner.max_result":      {about: "The largest result file, 16m at most.", standard: "1m", pattern: sizePattern, bare: true},
	"runner.logs":            {about: "What is kept of logs."},
	"runner.forward":         {about: "Where lines of runs go as they come, each as one JSON object."},
	"runner.secret_key_file": {about: "A file with the key that seals secret values: 32 bytes in base64. Without it, submits may name secrets in files only.", pattern: `^[^~]`},
	"runner.policy":          {about: "What submits may ask for. Without it, none of what it names."},

	"logs.cap":   {about: "The log of one run.", standard: "1g", pattern: sizePattern, bare: true},
	"logs.keep":  {about: "How long the log of an ended run is kept. Without it, as long as runner.keep.", pattern: durationPattern},
	"logs.total": {about: "The logs of all ended runs together; 0 for no bound.", standard: "10g", pattern: sizePattern, bare: true},

	"forward.to":      {about: "The kind of place.", required: true, oneOf: []string{string(ToFile), string(ToStdout), string(ToSyslog)}},
	"forward.path":    {about: "The file that lines are appended to.", pattern: `^[^~]`},
	"forward.address": {about: "A syslog: unix:///dev/log, udp://127.0.0.1:514 or tcp://logs.internal:601.", pattern: syslogPattern},

	"policy.privileged":      {about: "Privileged containers: root on the host.", standard: false},
	"policy.host_namespaces": {about: "The host's network, pid and ipc, and those of other containers.", standard: false},
	"policy.bind_mounts":     {about: "Folders of the hosts that may be mounted; one that ends in /** with all below it, which can be root on the host.", pattern: bindPattern},
	"policy.volumes":         {about: "Volumes that may be mounted: names, or their beginnings and *. Without any, all but the server's.", pattern: volumePattern},
	"policy.networks":        {about: "Networks that may be joined. Without any, all but the host's.", pattern: networkName.String()},
	"policy.cap_add":         {about: "Capabilities that may be added, as in SYS_PTRACE, or ALL.", pattern: capabilityPattern},
	"policy.devices":         {about: "Devices of the hosts, as in /dev/dri, or of CDI, as in intel.com/gpu=0.", pattern: `^/[^:]*$|` + cdiName.String()},
	"policy.security_opt":    {about: "Security options beside no-new-privileges, as in seccomp=unconfined.", pattern: securityPattern},
	"policy.sysctls":         {about: "Names of sysctls, as in net.core.somaxconn.", pattern: sysctlName.String()},
	"policy.secret_files":    {about: "Folders of the server below which secret variables may read.", pattern: fullPathPattern},
}

// rules are by struct, too.
var rules = map[string]rule{
	"registry": {
		together: map[string][]string{
			"password": {"username"}, "password_file": {"username"},
			"cert_file": {"key_file"}, "key_file": {"cert_file"},
		},
		apart: []string{"password", "password_file"},
	},
	"host":    {apart: []string{"tls", "ssh"}},
	"disk":    {together: map[string][]string{"low": {"high"}}},
	"tls":     {together: map[string][]string{"cert": {"key"}, "key": {"cert"}}},
	"track":   {most: 1},
	"verify":  {together: map[string][]string{"timeout": {"command"}}},
	"run":     {together: map[string][]string{"memory_swap": {"memory"}}},
	"forward": {apart: []string{"path", "address"}},

	"serverTLS": {together: map[string][]string{"cert": {"key"}, "key": {"cert"}, "client_ca": {"cert"}}},
	"token":     {apart: []string{"token", "token_file"}},
	"webhook":   {apart: []string{"secret", "secret_file"}, together: map[string][]string{"previous_path_secret_file": {"path_secret_file"}}},
	"notifySlack": {
		apart:    []string{"webhook_url_file", "token_file"},
		together: map[string][]string{"token_file": {"channel"}, "channel": {"token_file"}, "api_url": {"token_file"}},
	},
	"notifyWebhook": {apart: []string{"url", "url_file"}},
	"notifyEmail":   {together: map[string][]string{"username": {"password_file"}, "password_file": {"username"}}},
}
