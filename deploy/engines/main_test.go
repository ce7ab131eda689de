package engines_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitascope/vitascope/deploy/engines"
)

// helperVariable makes this test program run engines and nothing else: the
// tests that kill a whole Vitascope kill that process, and the S3 gateway,
// which moves its process to another folder, runs only there.
const helperVariable = "ENGINES_TEST_HELPER"

func TestMain(m *testing.M) {
	engines.MaybeRunChild()
	if config := os.Getenv(helperVariable); config != "" {
		if err := runHelper(config); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	status := m.Run()
	// On a busy machine what ends takes its time.
	for until := time.Now().Add(time.Minute); status == 0; {
		err := goleak.Find()
		if err == nil {
			break
		}
		if time.Now().After(until) {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

// runHelper starts the engines of a configuration in JSON, prints their
// endpoints and stops them when standard input ends.
func runHelper(config string) error {
	var cfg engines.Config
	if err := json.Unmarshal([]byte(config), &cfg); err != nil {
		return err
	}
	e, err := engines.New(cfg, testSecret(), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	endpoints, err := e.Start(context.Background())
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(endpoints); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return e.Stop(context.Background())
}

func testSecret() []byte { return []byte("0123456789abcdef0123456789abcdef") }

// testConfig runs no engine yet. The library is found before any test starts
// something that might move the process.
func testConfig(t *testing.T, dir string) engines.Config {
	t.Helper()
	cfg := engines.DefaultConfig(dir)
	cfg.S3, cfg.Kafka, cfg.ClickHouse = false, false, false
	cfg.ClickHouseMemoryBytes = 512 << 20
	return cfg
}

// testLog sends the engines' log to the test's.
func testLog(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// start runs engines in this process until the test ends.
func start(t *testing.T, cfg engines.Config) (*engines.Engines, engines.Endpoints) {
	t.Helper()
	e, err := engines.New(cfg, testSecret(), testLog(t))
	require.NoError(t, err)
	endpoints, err := e.Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop(context.Background())) })
	return e, endpoints
}

// helper is a process of its own that runs engines.
type helper struct {
	*exec.Cmd
	endpoints engines.Endpoints
	stdin     io.WriteCloser
}

// startHelper runs engines in another process, killed at the test's end.
func startHelper(t *testing.T, cfg engines.Config) *helper {
	t.Helper()
	h, err := newHelper(t, cfg)
	require.NoError(t, err)
	return h
}

func newHelper(t *testing.T, cfg engines.Config) (*helper, error) {
	t.Helper()
	config, err := json.Marshal(cfg)
	require.NoError(t, err)
	exe, err := os.Executable()
	require.NoError(t, err)
	h := &helper{Cmd: exec.Command(exe)}
	h.Env = append(os.Environ(), helperVariable+"="+string(config))
	var complaint strings.Builder
	h.Stderr = &complaint
	h.stdin, err = h.StdinPipe()
	require.NoError(t, err)
	stdout, err := h.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, h.Cmd.Start())
	t.Cleanup(func() { h.kill(t) })
	// The gateway may print a line of its own first.
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "{") {
			return h, json.Unmarshal(lines.Bytes(), &h.endpoints)
		}
	}
	_ = h.Wait()
	return nil, fmt.Errorf("helper: %s", complaint.String())
}

// kill is kill -9.
func (h *helper) kill(t *testing.T) {
	t.Helper()
	if h.ProcessState != nil {
		return
	}
	require.NoError(t, h.Process.Kill())
	_ = h.Wait() // it was killed
}

// stop ends the helper in order.
func (h *helper) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, h.stdin.Close())
	require.NoError(t, h.Wait())
}

// childOf returns the process that pid has started to run ClickHouse on a data
// folder.
func childOf(t *testing.T, pid int, dataDir string) int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state ppid ...; the name may hold spaces.
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if fields[1] != strconv.Itoa(pid) || fields[0] == "Z" {
			continue
		}
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		require.NoError(t, err)
		if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", child)); err == nil && strings.HasPrefix(cwd, dataDir+"/") {
			return child
		}
	}
	return 0
}

// gone waits until no process pid is left.
func gone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil }, 3*time.Minute, 10*time.Millisecond)
}

// post sends body to url and returns the answer.
func post(t *testing.T, url, body string) (status int, answer string) {
	t.Helper()
	res, err := http.Post(url, "text/plain", strings.NewReader(body))
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(b)
}
