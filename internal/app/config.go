package app

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/vitascope/vitascope/analytics/collect"
	"github.com/vitascope/vitascope/ingest"
	"github.com/vitascope/vitascope/internal/auth"
)

// The roles a process can take.
const (
	RoleIngest    = "ingest"    // receives uploads
	RoleAPI       = "api"       // JSON API and dashboard
	RoleTranscode = "transcode" // probes and encodes
	RolePlayer    = "player"    // HLS origin, embeds, watch pages
	RoleCollect   = "collect"   // receives beacons
	RoleSink      = "sink"      // moves beacons into ClickHouse
)

// AllRoles lists every role, in the order they start.
func AllRoles() []string {
	return []string{RoleIngest, RoleAPI, RoleTranscode, RolePlayer, RoleCollect, RoleSink}
}

// Config is a process's whole configuration. Defaults, then VITASCOPE_*
// variables, then flags: the last wins. Everything starts with none at all.
type Config struct {
	Data      string       // folder of everything kept on this machine
	Listen    string       // host:port of the HTTP server
	PublicURL string       // where browsers reach it; default http://<listen>
	Proxies   []*net.IPNet // networks of reverse proxies whose X-Forwarded-For is believed; default none
	Roles     []string     // see AllRoles; default all
	Secret    string       // signs tokens; default: made once and kept in the data folder

	AdminEmail string // of the admin made at the first start

	Catalog string // sqlite:///file or postgres://…; default: SQLite in the data folder

	S3Endpoint  string // host:port; empty: the embedded server
	S3Region    string
	S3Bucket    string
	S3AccessKey string
	S3SecretKey string
	S3Secure    bool

	KafkaBrokers []string // empty: the embedded broker

	ClickHouseURL         string // http://user:password@host:port; empty: the embedded engine
	ClickHouseCluster     string // name in its remote_servers; empty: tables of one server
	ClickHouseLibrary     string // libchdb.so of the embedded engine; empty: looked for
	ClickHouseMemoryBytes int64  // cap of the embedded engine

	MediaBinary          string   // vitascope-media; empty: beside this program, then PATH
	TranscodeWorkers     int      // encodes at once in this process; default: one a processor, and one a GiB of memory at most
	TranscodeThreads     int      // threads of each encode, 1 to 64
	ExtraCodecs          []string // hevc, av1: made besides H.264
	KeepLoudness         bool     // leave sound as loud as it is; otherwise it is brought to -16 LUFS
	PlayerCacheBytes     int64    // memory for hot segments and playlists
	PlayerDiskCache      bool     // keep what was read from S3 on this machine's disk
	PlayerDiskCacheBytes int64    // how much of it

	ImportNetworks       []*net.IPNet // networks that imports by URL may reach though they are not public; default none
	ImportBytesPerSecond int64        // how fast this process fetches imports

	CollectAddressRate int    // beacons a second from one address
	CollectMediaRate   int    // beacons a second for one media
	CollectSpoolBytes  int64  // cap of what waits on disk while the event log is away
	CountryTable       string // MMDB of countries; empty: looked for

	OutboundAllow []*net.IPNet // networks of the operator's that webhooks may call; default none

	InsecureEngines bool // start the embedded ClickHouse even where the kernel has no Landlock
	InsecureMedia   bool // decode media even where a layer of its sandbox is missing, see doctor

	MetricsListen string        // host:port of Prometheus metrics; empty: not served
	LogLevel      string        // debug, info, warn, error
	LogFormat     string        // text or json
	ShutdownGrace time.Duration // how long work in hand may take to finish
}

// DefaultConfig returns the configuration of one machine.
func DefaultConfig() Config {
	return Config{
		Data:                  "vitascope-data",
		Listen:                "127.0.0.1:8080",
		Roles:                 AllRoles(),
		AdminEmail:            "admin@localhost",
		S3Region:              "us-east-1",
		S3Bucket:              "vitascope",
		ClickHouseMemoryBytes: 700 << 20,
		TranscodeWorkers:      defaultWorkers(),
		TranscodeThreads:      1,
		ImportBytesPerSecond:  ingest.DefaultImportConfig().BytesPerSecond,
		CollectAddressRate:    collect.DefaultConfig().AddressPerSecond,
		CollectMediaRate:      collect.DefaultConfig().MediaPerSecond,
		CollectSpoolBytes:     collect.DefaultConfig().SpoolBytes,
		PlayerCacheBytes:      128 << 20,
		PlayerDiskCache:       true,
		PlayerDiskCacheBytes:  2 << 30,
		LogLevel:              "info",
		LogFormat:             "text",
		ShutdownGrace:         10 * time.Second,
	}
}

// workerMemory is what an encode may need: some 300 MB for rungs up to 1080p, and 1.3 GB
// for 2160p in HDR, which is rare.
const workerMemory = 1 << 30

// defaultWorkers is how many encodes a machine can do at once.
func defaultWorkers() int {
	n := runtime.NumCPU()
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err == nil {
		n = min(n, int(uint64(info.Totalram)*uint64(info.Unit)/workerMemory))
	}
	return max(1, n)
}

// secretKeys may also be given as a file, by a _FILE twin of the variable, and
// are never printed.
var secretKeys = []string{"secret", "catalog", "s3-access-key", "s3-secret-key", "clickhouse-url"}

// clientKeys are variables of commands that talk to a running server.
var clientKeys = []string{"server", "token"}

// Flags registers every key on fs, bound to c and with c's values as defaults.
func (c *Config) Flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Data, "data", c.Data, "folder of everything kept on this machine")
	fs.StringVar(&c.Listen, "listen", c.Listen, "address of the HTTP server, host:port")
	fs.StringVar(&c.PublicURL, "public-url", c.PublicURL, "where browsers reach it (default http://<listen>)")
	fs.Var((*networks)(&c.Proxies), "trusted-proxies", "networks of reverse proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8 (default: none)")
	fs.Var((*networks)(&c.OutboundAllow), "outbound-allow", "networks of yours that webhooks may call, such as 10.1.0.0/16 (default: none, only the public Internet)")
	fs.StringSliceVar(&c.Roles, "roles", c.Roles, "roles of this process")
	fs.StringVar(&c.Secret, "secret", c.Secret, "signs tokens, 32 bytes or more, the same on every process (default: made once, kept in the data folder)")
	fs.StringVar(&c.AdminEmail, "admin-email", c.AdminEmail, "address of the admin made at the first start")
	fs.StringVar(&c.Catalog, "catalog", c.Catalog, "sqlite:///file or postgres://… (default: SQLite in the data folder)")
	fs.StringVar(&c.S3Endpoint, "s3-endpoint", c.S3Endpoint, "S3 server, host:port (default: embedded)")
	fs.StringVar(&c.S3Region, "s3-region", c.S3Region, "S3 region")
	fs.StringVar(&c.S3Bucket, "s3-bucket", c.S3Bucket, "S3 bucket, made when missing")
	fs.StringVar(&c.S3AccessKey, "s3-access-key", c.S3AccessKey, "S3 access key")
	fs.StringVar(&c.S3SecretKey, "s3-secret-key", c.S3SecretKey, "S3 secret key")
	fs.BoolVar(&c.S3Secure, "s3-secure", c.S3Secure, "speak TLS to the S3 server")
	fs.StringSliceVar(&c.KafkaBrokers, "kafka-brokers", c.KafkaBrokers, "Kafka brokers, host:port (default: embedded)")
	fs.StringVar(&c.ClickHouseURL, "clickhouse-url", c.ClickHouseURL, "ClickHouse, http://user:password@host:port (default: embedded)")
	fs.StringVar(&c.ClickHouseCluster, "clickhouse-cluster", c.ClickHouseCluster, "ClickHouse cluster whose servers each keep a copy of every table; chosen before the first start (default: one server)")
	fs.StringVar(&c.ClickHouseLibrary, "clickhouse-library", c.ClickHouseLibrary, "libchdb.so for the embedded engine (default: looked for)")
	fs.Int64Var(&c.ClickHouseMemoryBytes, "clickhouse-memory-bytes", c.ClickHouseMemoryBytes, "memory cap of the embedded engine")
	fs.Int64Var(&c.PlayerCacheBytes, "player-cache-bytes", c.PlayerCacheBytes, "memory that holds hot segments and playlists")
	fs.BoolVar(&c.PlayerDiskCache, "player-disk-cache", c.PlayerDiskCache, "keep what was read from the S3 server in the data folder")
	fs.Int64Var(&c.PlayerDiskCacheBytes, "player-disk-cache-bytes", c.PlayerDiskCacheBytes, "how much of it")
	fs.StringVar(&c.MediaBinary, "media-binary", c.MediaBinary, "vitascope-media (default: beside this program, then PATH)")
	fs.IntVar(&c.TranscodeWorkers, "transcode-workers", c.TranscodeWorkers, "encodes at once in this process")
	fs.IntVar(&c.TranscodeThreads, "transcode-threads", c.TranscodeThreads, "threads of each encode; several encodes with one thread are more efficient than one with several")
	fs.StringSliceVar(&c.ExtraCodecs, "extra-codecs", c.ExtraCodecs, "make ladders in hevc or av1 too, besides H.264 (default: none)")
	fs.BoolVar(&c.KeepLoudness, "keep-loudness", c.KeepLoudness, "leave sound as loud as it is (default: each video is brought to -16 LUFS, EBU R 128)")
	fs.Var((*networks)(&c.ImportNetworks), "import-networks", "networks that imports by URL may reach though they are not public, such as 10.0.0.0/8 (default: none)")
	fs.Int64Var(&c.ImportBytesPerSecond, "import-bytes-per-second", c.ImportBytesPerSecond, "how fast this process fetches imports by URL, at most")
	fs.IntVar(&c.CollectAddressRate, "collect-address-rate", c.CollectAddressRate, "beacons a second taken from one address")
	fs.IntVar(&c.CollectMediaRate, "collect-media-rate", c.CollectMediaRate, "beacons a second taken for one media")
	fs.Int64Var(&c.CollectSpoolBytes, "collect-spool-bytes", c.CollectSpoolBytes, "cap of the beacons kept on disk while the event log is away")
	fs.StringVar(&c.CountryTable, "country-table", c.CountryTable, "MMDB table that tells viewers' countries (default: looked for)")
	fs.BoolVar(&c.InsecureEngines, "insecure-engines", c.InsecureEngines, "start the embedded ClickHouse even where the kernel has no Landlock")
	fs.BoolVar(&c.InsecureMedia, "insecure-media", c.InsecureMedia, "decode media even where the kernel lacks a layer of its sandbox (namespaces, Landlock, seccomp)")
	fs.StringVar(&c.MetricsListen, "metrics-listen", c.MetricsListen, "address of Prometheus metrics at /metrics, host:port (default: not served)")
	fs.StringVar(&c.LogLevel, "log-level", c.LogLevel, "debug, info, warn or error")
	fs.StringVar(&c.LogFormat, "log-format", c.LogFormat, "text or json")
	fs.DurationVar(&c.ShutdownGrace, "shutdown-grace", c.ShutdownGrace, "how long work in hand may take to finish at a stop")
	for _, key := range secretKeys {
		fs.Lookup(key).DefValue = "" // never in a help text
	}
}

const envPrefix = "VITASCOPE_"

// ApplyEnv sets c from the VITASCOPE_* variables in environ ("name=value"). One
// that names no key is an error, so that a mistyped one does not pass unseen.
func (c *Config) ApplyEnv(environ []string) error {
	fs := pflag.NewFlagSet("environment", pflag.ContinueOnError)
	c.Flags(fs)
	var errs []error
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		rest, ok := strings.CutPrefix(name, envPrefix)
		if !ok {
			continue
		}
		key := strings.ToLower(strings.ReplaceAll(rest, "_", "-"))
		if base, isFile := strings.CutSuffix(key, "-file"); isFile && slices.Contains(secretKeys, base) {
			raw, err := os.ReadFile(value)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
				continue
			}
			key, value = base, strings.TrimSpace(string(raw))
		}
		if slices.Contains(clientKeys, key) {
			continue
		}
		if fs.Lookup(key) == nil {
			errs = append(errs, fmt.Errorf("%s: there is no such setting", name))
			continue
		}
		if err := fs.Set(key, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// Validate reports every problem at once, by key.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf(key+": "+format, args...))
	}
	if c.Data == "" {
		bad("data", "must name a folder")
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		bad("listen", "must be host:port: %v", err)
	}
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.Trim(u.Path, "/") != "" {
			bad("public-url", "must be http(s)://host[:port], is %q", c.PublicURL)
		}
	}
	for _, r := range c.Roles {
		if !slices.Contains(AllRoles(), r) {
			bad("roles", "%q is not one of %s", r, strings.Join(AllRoles(), ", "))
		}
	}
	if len(c.Roles) == 0 {
		bad("roles", "must name at least one of %s", strings.Join(AllRoles(), ", "))
	}
	if c.Secret != "" && len(c.Secret) < auth.MinSecretBytes {
		bad("secret", "must be at least %d bytes", auth.MinSecretBytes)
	}
	if c.S3Endpoint != "" && (c.S3AccessKey == "" || c.S3SecretKey == "") {
		bad("s3-access-key, s3-secret-key", "are needed with s3-endpoint")
	}
	if c.PlayerCacheBytes < 1<<20 || c.PlayerCacheBytes > 64<<30 {
		bad("player-cache-bytes", "must be from 1 MiB to 64 GiB")
	}
	if c.PlayerDiskCache && c.PlayerDiskCacheBytes < 16<<20 {
		bad("player-disk-cache-bytes", "must be at least 16 MiB")
	}
	if c.TranscodeWorkers < 1 {
		bad("transcode-workers", "must be at least 1")
	}
	if c.TranscodeThreads < 1 || c.TranscodeThreads > 64 {
		bad("transcode-threads", "must be from 1 to 64")
	}
	if c.ImportBytesPerSecond < 1<<20 {
		bad("import-bytes-per-second", "must be at least %d", 1<<20)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		bad("log-format", "must be text or json")
	}
	if c.ClickHouseMemoryBytes < 256<<20 {
		bad("clickhouse-memory-bytes", "must be at least %d", 256<<20)
	}
	if c.Secret == "" && (c.splitRoles() || strings.HasPrefix(c.Catalog, "postgres")) {
		bad("secret", "must be given when several processes may share the catalog: they all need the same one")
	}
	if missing := c.missingAddresses(); c.splitRoles() && len(missing) > 0 {
		bad("roles", "separate processes also need %s: an embedded engine serves one process", strings.Join(missing, ", "))
	}
	return errors.Join(errs...)
}

// splitRoles tells whether this process leaves roles to others.
func (c *Config) splitRoles() bool { return len(c.Roles) > 0 && len(c.Roles) < len(AllRoles()) }

// missingAddresses names what a process of a cluster must be told and was not.
func (c *Config) missingAddresses() []string {
	need, missing := c.needs(), []string{}
	if need.catalog && !strings.HasPrefix(c.Catalog, "postgres") {
		missing = append(missing, "catalog (postgres://…)")
	}
	if need.s3 && c.S3Endpoint == "" {
		missing = append(missing, "s3-endpoint")
	}
	if need.kafka && len(c.KafkaBrokers) == 0 {
		missing = append(missing, "kafka-brokers")
	}
	if need.clickhouse && c.ClickHouseURL == "" {
		missing = append(missing, "clickhouse-url")
	}
	return missing
}

// Has tells whether this process takes the role.
func (c *Config) Has(role string) bool { return slices.Contains(c.Roles, role) }

// Changed lists what differs from the defaults, "key = value", secrets hidden.
func (c *Config) Changed() []string {
	defaults, mine := pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	d := DefaultConfig()
	d.Flags(defaults)
	c.Flags(mine)
	var lines []string
	mine.VisitAll(func(f *pflag.Flag) {
		value := f.Value.String()
		if value == defaults.Lookup(f.Name).Value.String() {
			return
		}
		if slices.Contains(secretKeys, f.Name) {
			value = "(hidden)"
		}
		lines = append(lines, f.Name+" = "+value)
	})
	return lines
}
