package engines

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"time"
)

// Names of the engines, as keys of Engines.Health and in logs.
const (
	NameS3         = "s3"
	NameKafka      = "kafka"
	NameClickHouse = "clickhouse"
)

const (
	// minClickHouseMemoryBytes is where the idle engine and one small query
	// still fit.
	minClickHouseMemoryBytes = 256 << 20
	maxClickHouseConcurrency = 256
)

// Config says which engines run, where they keep data and on which ports.
type Config struct {
	// DataDir holds everything the engines store. It is created, and locked
	// against a second process.
	DataDir string
	// S3, Kafka and ClickHouse choose the engines to run.
	S3, Kafka, ClickHouse bool
	// S3Port, KafkaPort and ClickHousePort are loopback ports; 0, the
	// default, chooses a free one anew at each Start.
	S3Port, KafkaPort, ClickHousePort int
	// KafkaListener, if set, wraps what the Kafka broker listens on; the fault
	// harness cuts connections with it.
	KafkaListener func(net.Listener) net.Listener `json:"-"`
	// S3Sidecar keeps the metadata of objects in files under s3/meta instead
	// of extended attributes, which some backup tools drop. Default false;
	// always on where the file system has no such attributes, and where a
	// folder was begun with it.
	S3Sidecar bool
	// LibraryPath is the path of libchdb.so; empty, the default, looks in
	// the places that FindLibrary names.
	LibraryPath string
	// ClickHouseMemoryBytes bounds the memory of ClickHouse's queries,
	// merges and caches together. Default 700 MiB, at least 256 MiB.
	ClickHouseMemoryBytes int64
	// ClickHouseConcurrency bounds the statements that ClickHouse runs
	// together; more wait. Default 16, from 1 to 256.
	ClickHouseConcurrency int
	// AllowUnsandboxed lets ClickHouse start where the system has no
	// Landlock. Default false. Whoever can run SQL can then read files and
	// reach addresses that the process can.
	AllowUnsandboxed bool
	// StartTimeout bounds how long the engines may take to answer, recovery
	// after a crash included. Default 2 min.
	StartTimeout time.Duration
	// StopGrace bounds how long each engine may take to stop before it is
	// cut off. Default 10 s.
	StopGrace time.Duration
}

// DefaultConfig runs all three engines in dataDir.
func DefaultConfig(dataDir string) Config {
	return Config{
		DataDir: dataDir, S3: true, Kafka: true, ClickHouse: true,
		ClickHouseMemoryBytes: 700 << 20, ClickHouseConcurrency: 16,
		StartTimeout: 2 * time.Minute, StopGrace: 10 * time.Second,
	}
}

// Validate returns all problems of c at once.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.DataDir == "" {
		bad("data dir is empty")
	}
	for _, p := range []struct {
		name string
		port int
	}{{"s3 port", c.S3Port}, {"kafka port", c.KafkaPort}, {"clickhouse port", c.ClickHousePort}} {
		if p.port < 0 || p.port > 65535 {
			bad("%s %d is not between 0 and 65535", p.name, p.port)
		}
	}
	if c.ClickHouse && c.ClickHouseMemoryBytes < minClickHouseMemoryBytes {
		bad("clickhouse memory of %d bytes is less than 256 MiB", c.ClickHouseMemoryBytes)
	}
	if c.ClickHouse && (c.ClickHouseConcurrency < 1 || c.ClickHouseConcurrency > maxClickHouseConcurrency) {
		bad("clickhouse concurrency %d is not between 1 and 256", c.ClickHouseConcurrency)
	}
	if c.StartTimeout <= 0 {
		bad("start timeout %s is not positive", c.StartTimeout)
	}
	if c.StopGrace <= 0 {
		bad("stop grace %s is not positive", c.StopGrace)
	}
	return errors.Join(errs...)
}

func (c Config) path(elem ...string) string {
	return filepath.Join(append([]string{c.DataDir}, elem...)...)
}

// Endpoints is how to reach the running engines. Fields of engines that do
// not run are empty.
type Endpoints struct {
	S3Addr      string // host:port, plain HTTP, path-style buckets
	S3AccessKey string
	S3SecretKey string
	S3Region    string

	KafkaBrokers []string // host:port

	ClickHouseAddr     string // host:port, HTTP
	ClickHouseUser     string
	ClickHousePassword string
	ClickHouseDatabase string
}

// ClickHouseURL is the address as clickhouse.ParseDSN takes it:
// http://user:password@host:port/database. It is empty without ClickHouse.
func (e Endpoints) ClickHouseURL() string {
	if e.ClickHouseAddr == "" {
		return ""
	}
	return (&url.URL{
		Scheme: "http", User: url.UserPassword(e.ClickHouseUser, e.ClickHousePassword),
		Host: e.ClickHouseAddr, Path: "/" + e.ClickHouseDatabase,
	}).String()
}
