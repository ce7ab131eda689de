package engines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/vitascope/vitascope/internal/landlock"
)

func (e *Engines) clickHouseConfig() ClickHouseConfig {
	c := DefaultClickHouseConfig(e.cfg.path("clickhouse"))
	c.Addr = net.JoinHostPort("127.0.0.1", fmt.Sprint(e.cfg.ClickHousePort))
	c.LibraryPath, c.Password = e.cfg.LibraryPath, e.creds.clickHousePassword
	c.MemoryBytes, c.Concurrency = e.cfg.ClickHouseMemoryBytes, e.cfg.ClickHouseConcurrency
	c.AllowUnsandboxed, c.StopGrace = e.cfg.AllowUnsandboxed, e.cfg.StopGrace
	return c
}

// clickHouse keeps the listening socket and runs the child that serves it.
// While no child runs, connections wait in the socket's queue for the next.
type clickHouse struct {
	cfg      ClickHouseConfig
	log      *slog.Logger
	listener *net.TCPListener
}

func newClickHouse(cfg ClickHouseConfig, log *slog.Logger) (*clickHouse, error) {
	l, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for clickhouse: %w", err)
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("listen for clickhouse on %s: not TCP", cfg.Addr), l.Close())
	}
	if abi := landlock.ABI(); abi < landlock.NetworkABI {
		log.Warn("the kernel cannot keep ClickHouse from the network, which needs Linux 6.7", "landlock_abi", abi)
	}
	return &clickHouse{cfg: cfg, log: log.With("engine", NameClickHouse), listener: tcp}, nil
}

func (c *clickHouse) name() string { return NameClickHouse }

func (c *clickHouse) release() { _ = c.listener.Close() }

func (c *clickHouse) probe(ctx context.Context) error {
	return getOK(ctx, "http://"+c.listener.Addr().String()+"/ping")
}

// run starts a child and waits for its end. The kernel kills the child when
// the thread that started it ends (Pdeathsig), so that thread is kept until
// then.
func (c *clickHouse) run(ctx context.Context, ready func()) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd, lifeline, output, err := c.start()
	if err != nil {
		return fmt.Errorf("start clickhouse child: %w", err)
	}
	logs := newChildLog(c.log)
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		logs.copy(output)
	}()
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	answering, cancel := context.WithCancel(ctx)
	defer cancel()
	answered := make(chan error, 1)
	go func() { answered <- pollUntil(answering, c.probe) }()

	for waiting := true; waiting; {
		select {
		case err = <-exited:
			waiting = false
		case probed := <-answered:
			answered = nil
			if probed == nil {
				ready()
			}
		case <-ctx.Done():
			err = c.end(cmd.Process, lifeline, exited)
			waiting = false
		}
	}
	cancel()
	if answered != nil {
		<-answered
	}
	lifeline.Close()
	<-logged
	output.Close()
	if ctx.Err() != nil {
		return err
	}
	return errors.Join(fmt.Errorf("clickhouse child ended: %w", exitError(err)), logs.lastError())
}

// exitError names a clean exit, which a child makes only when told to.
func exitError(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// end asks the child to stop by closing its standard input, and kills it when
// it takes longer than the grace period.
func (c *clickHouse) end(p *os.Process, lifeline *os.File, exited <-chan error) error {
	lifeline.Close()
	_ = p.Signal(syscall.SIGTERM) // fails only when it has ended
	timer := time.NewTimer(c.cfg.StopGrace)
	defer timer.Stop()
	select {
	case err := <-exited:
		return err
	case <-timer.C:
		_ = p.Kill() // fails only when it has ended
		<-exited
		return fmt.Errorf("killed after %s", c.cfg.StopGrace)
	}
}

// start launches the child with its configuration, the listening socket, a
// lifeline on standard input that ends with this process, and a pipe for its
// log lines.
func (c *clickHouse) start() (cmd *exec.Cmd, lifeline, output *os.File, err error) {
	config, err := c.writeConfig()
	if err != nil {
		return nil, nil, nil, err
	}
	defer config.Close()
	mended, err := mendTokens(c.dataDir())
	if err != nil {
		return nil, nil, nil, err
	}
	if mended > 0 {
		c.log.Warn("inserts that the engine was killed in will be taken when they are repeated", "inserts", mended)
	}
	socket, err := c.listener.File()
	if err != nil {
		return nil, nil, nil, err
	}
	defer socket.Close()
	stdin, lifeline, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, err
	}
	defer stdin.Close()
	output, stderr, err := os.Pipe()
	if err != nil {
		lifeline.Close()
		return nil, nil, nil, err
	}
	defer stderr.Close()
	cmd = &exec.Cmd{
		Path: selfPath, Args: []string{"vitascope", childArgument, childConfine},
		Env: []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "TZ=UTC", "TMPDIR=" + c.tmpDir(), "GOMEMLIMIT=192MiB"},
		Dir: c.dataDir(), Stdin: stdin, Stdout: stderr, Stderr: stderr,
		ExtraFiles: []*os.File{config, socket}, SysProcAttr: childAttributes(),
	}
	if err := cmd.Start(); err != nil {
		lifeline.Close()
		output.Close()
		return nil, nil, nil, err
	}
	return cmd, lifeline, output, nil
}

func (c *clickHouse) dataDir() string    { return filepath.Join(c.cfg.DataDir, "data") }
func (c *clickHouse) tmpDir() string     { return filepath.Join(c.dataDir(), "tmp") }
func (c *clickHouse) configPath() string { return filepath.Join(c.cfg.DataDir, "config.xml") }

// writeConfig makes the folders and the server's configuration file, and
// returns the child's own configuration as a file without a name: it holds the
// password.
func (c *clickHouse) writeConfig() (*os.File, error) {
	if err := os.MkdirAll(c.tmpDir(), 0o700); err != nil {
		return nil, err
	}
	xml, err := serverConfig(c.dataDir(), c.cfg.MemoryBytes)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(c.configPath(), xml, 0o600); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(c.cfg.DataDir, ".child-*")
	if err != nil {
		return nil, err
	}
	err = errors.Join(os.Remove(f.Name()), json.NewEncoder(f).Encode(childConfig{
		ParentPID: os.Getpid(), LibraryPath: c.cfg.LibraryPath, DataDir: c.dataDir(), ConfigFile: c.configPath(),
		User: c.cfg.User, Password: c.cfg.Password, Database: c.cfg.Database, Concurrency: c.cfg.Concurrency,
		ConnectPorts: c.cfg.ConnectPorts, AllowUnsandboxed: c.cfg.AllowUnsandboxed,
	}))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
