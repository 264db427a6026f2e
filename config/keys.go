package config

// key is what an editor is told of a key, beside its type.
type key struct {
	about    string
	required bool
	standard any      // the default, where it is a plain value
	oneOf    []string // the only values
	pattern  string   // of the text; what Go and ECMAScript read alike
	least    int      // of a number, or of a length
	bare     bool     // text that may look like a number
}

// rule is what holds between the keys of a mapping.
type rule struct {
	most     int                 // keys at once
	together map[string][]string // a key, and those it needs
	apart    []string            // keys that are not all written
}

// Patterns of values.
const (
	namePattern     = `^[a-z0-9][a-z0-9.-]{0,62}$`
	ratePattern     = `^[0-9]*\.?[0-9]+\.?/[smh]$`
	durationPattern = `^\+?(0|([0-9]*\.?[0-9]+\.?(ns|us|µs|ms|s|m|h))+)$`
	hostPattern     = `^[^/@ ]+$`
	mirrorPattern   = `^[^@ :]+(:[0-9]+)?(/[a-z0-9._/-]*)?$`
	endpointPattern = `^([uU][nN][iI][xX]:///|[tT][cC][pP]://|[sS][sS][hH]://[^@/]+@)[^?#]+$`
)

// keys are the keys of each struct of the document, by its name.
var keys = map[string]key{
	"document.server":     {about: "Where the API listens."},
	"document.state":      {about: "What Prewarm keeps between its lives."},
	"document.limits":     {about: "Limits over all hosts and registries."},
	"document.registries": {about: "How registries are reached that need more than HTTPS and the Docker config file."},
	"document.hosts":      {about: "The Docker Engines."},
	"document.hosts_file": {about: "A file with more hosts, read again when it changes."},
	"document.images":     {about: "What is kept warm, and where."},

	"server.listen": {about: "Loopback address and port of the API.", standard: defaultListen, pattern: `:[0-9]+$`},
	"state.path":    {about: "The folder of what must not be forgotten.", standard: defaultState, pattern: `^[^~]`, bare: true},

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
	"host.insecure": {about: "Plain tcp without TLS: root on that machine for everyone who reaches the port.", standard: false},
	"host.tls":      {about: "TLS of a tcp endpoint."},
	"host.ssh":      {about: "The login of an ssh endpoint."},
	"host.labels":   {about: "For the selectors of images."},
	"host.limits":   {about: "Limits of this host."},

	"tls.ca":          {about: "A PEM file of the root certificates that the engine's must come from. Without it, the system's.", pattern: `^[^~]`},
	"tls.cert":        {about: "A PEM file with the client certificate. Goes with key.", pattern: `^[^~]`},
	"tls.key":         {about: "A PEM file with the client certificate's key.", pattern: `^[^~]`},
	"tls.server_name": {about: "The name in the engine's certificate, where it is not the endpoint's host.", pattern: `^[A-Za-z0-9.:_-]+$`, bare: true},
	"ssh.key_file":    {about: "A private key. Without it, the keys of the agent.", pattern: `^[^~]`},
	"ssh.known_hosts": {about: "The file of the keys that hosts must have. Without it, ~/.ssh/known_hosts of Prewarm's user.", pattern: `^[^~]`},

	"limits.pulls": {about: "Pulls at the same time.", standard: 2, least: 1},
	"limits.runs":  {about: "Runs at the same time.", standard: 8, least: 1},

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
	"host":   {apart: []string{"tls", "ssh"}},
	"tls":    {together: map[string][]string{"cert": {"key"}, "key": {"cert"}}},
	"track":  {most: 1},
	"verify": {together: map[string][]string{"timeout": {"command"}}},
}
