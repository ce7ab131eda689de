package engines

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

const (
	// kafkaRetention is how often old segments are dropped. kfake arms its
	// own timer only when a topic is made or altered, so not after a restart.
	kafkaRetention = time.Minute
	// kafkaMaxBatchBytes bounds one produced batch.
	kafkaMaxBatchBytes = 10 << 20
	// kafkaDefaultRetention is for topics that set none.
	kafkaDefaultRetention = 7 * 24 * time.Hour
	kafkaClusterID        = "vitascope"
	kafkaPartitions       = 8
)

// kafkaBroker is kfake with its data on disk.
type kafkaBroker struct {
	dir  string
	wrap func(net.Listener) net.Listener // may be nil
	log  *slog.Logger

	mu   sync.Mutex
	port int // 0 until the first run chose one; the same ever after
}

func newKafkaBroker(cfg Config, log *slog.Logger) *kafkaBroker {
	return &kafkaBroker{dir: cfg.path("kafka"), port: cfg.KafkaPort, wrap: cfg.KafkaListener, log: log.With("engine", NameKafka)}
}

func (k *kafkaBroker) name() string { return NameKafka }

func (k *kafkaBroker) release() {}

func (k *kafkaBroker) addr() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(k.port))
}

func (k *kafkaBroker) run(ctx context.Context, ready func()) error {
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return fmt.Errorf("make kafka folder: %w", err)
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.Ports(k.port), kfake.ListenFn(k.listen),
		kfake.ClusterID(kafkaClusterID), kfake.DefaultNumPartitions(kafkaPartitions),
		kfake.DataDir(k.dir), kfake.SyncWrites(), kfake.WithLogger(kafkaLog{k.log}),
		kfake.BrokerConfigs(map[string]string{
			"message.max.bytes":      strconv.Itoa(kafkaMaxBatchBytes),
			"log.retention.ms":       strconv.FormatInt(kafkaDefaultRetention.Milliseconds(), 10),
			"log.cleaner.backoff.ms": strconv.FormatInt(kafkaRetention.Milliseconds(), 10),
		}))
	if err != nil {
		return fmt.Errorf("open kafka log: %w", err)
	}
	defer cluster.Close()
	ready()
	tick := time.NewTicker(kafkaRetention)
	defer tick.Stop()
	for {
		cluster.ApplyRetention()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// listen remembers the port that the first run was given.
func (k *kafkaBroker) listen(network, addr string) (net.Listener, error) {
	l, err := net.Listen(network, addr)
	if err != nil {
		return nil, err
	}
	tcp, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return nil, errors.Join(fmt.Errorf("kafka listens on %s, not on TCP", l.Addr()), l.Close())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.port = tcp.Port
	if k.wrap != nil {
		return k.wrap(l), nil
	}
	return l, nil
}

func (k *kafkaBroker) probe(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", k.addr())
	if err != nil {
		return err
	}
	return conn.Close()
}

// kafkaLog hands kfake's log to slog. Its warnings are refused requests.
type kafkaLog struct{ log *slog.Logger }

// Logf logs one line.
func (l kafkaLog) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	if level == kfake.LogLevelError {
		to = slog.LevelError
	}
	if ctx := context.Background(); l.log.Enabled(ctx, to) {
		l.log.Log(ctx, to, "kafka", "line", fmt.Sprintf(format, args...))
	}
}
