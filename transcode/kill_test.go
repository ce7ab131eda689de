package transcode_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/transcode"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

var long = flag.Bool("long", false, "kill workers 300 times, and put all sources through, not 35")

// workerVariable holds the workerConfig of a process that this test program starts as
// a worker.
const workerVariable = "VITASCOPE_TEST_WORKER"

// workerConfig is what a worker process needs.
type workerConfig struct {
	Catalog, Binary, Temp string
	Insecure              bool
	Store                 blob.Config
}

// beWorker works jobs until it is killed.
func beWorker(raw string) error {
	var c workerConfig
	if err := json.Unmarshal([]byte(raw), &c); err != nil {
		return err
	}
	ctx, log := context.Background(), slog.New(slog.NewTextHandler(os.Stderr, nil))
	store, err := blob.Open(c.Store, log)
	if err != nil {
		return err
	}
	db, err := catalog.Open(ctx, c.Catalog, log)
	if err != nil {
		return err
	}
	client, err := jobs.New(db, jobs.Config{Queues: map[string]int{jobs.QueueProbe: 2, jobs.QueueFirst: 1, jobs.QueueSound: 1, jobs.QueueTranscode: 2}}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if _, err := transcode.New(transcode.Config{MediaBinary: c.Binary, TempDir: c.Temp, InsecureMedia: c.Insecure}, db, store, client, log); err != nil {
		return err
	}
	fmt.Println("works")
	return client.Run(ctx)
}

// startWorker starts a process that works the world's jobs, and returns when it does.
func (w *world) startWorker(t *testing.T) *exec.Cmd {
	t.Helper()
	raw, err := json.Marshal(workerConfig{Catalog: w.dsn, Binary: mediatest.Binary(t), Temp: w.temp, Insecure: mediatest.Insecure(t), Store: w.blobs})
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), workerVariable+"="+string(raw))
	cmd.Stderr = t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { kill(cmd) })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "works\n", line)
	return cmd
}

func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// victim is a media and what has to become of it.
type victim struct {
	media catalog.Media
	state catalog.MediaState
	code  string
	rungs int
}

// TestKilledWorkersLeaveEveryMediaRight kills worker processes at random moments and
// lets others go on. On Postgres there are two at a time, and some are frozen instead
// of killed, and wake when others have taken their jobs.
func TestKilledWorkersLeaveEveryMediaRight(t *testing.T) {
	t.Parallel()
	kills, media := 20, 10
	if *long {
		kills, media = 300, 300
	}
	aac := []string{"-c:a", "aac"}
	cut := mediatest.Generate(t, "whole.mkv", args(picture("320x180", "25", "9"), []string{"-c:v", "mpeg4"})...)
	whole, err := os.ReadFile(cut)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(cut, whole[:len(whole)/3], 0o600))
	sources := []struct {
		file   string
		victim victim
	}{
		{mediatest.Generate(t, "a.mkv", args(picture("320x180", "25", "2"), sound("2"), x264, aac)...), victim{state: catalog.StateReady, rungs: 1}},
		{mediatest.Generate(t, "b.mp4", args(picture("320x180", "25", "2"), sound("2"), x264, aac)...), victim{state: catalog.StateReady, rungs: 1}},
		{cut, victim{state: catalog.StateFailed, code: "truncated_file"}},
		{mediatest.Generate(t, "d.mkv", args(picture("640x480", "25", "14"), x264)...), victim{state: catalog.StateReady, rungs: 2}},
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	w := prepareWorld(t)
	insertOnly, err := jobs.New(w.db, jobs.Config{}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	w.jobs = insertOnly

	var victims []victim
	upload := func() {
		s := sources[len(victims)%len(sources)]
		v := s.victim
		v.media = w.upload(t, s.file)
		victims = append(victims, v)
	}
	settled := func() int {
		n := 0
		for _, v := range victims {
			m, err := w.db.MediaByID(t.Context(), v.media.ID)
			require.NoError(t, err)
			if m.State == catalog.StateReady || m.State == catalog.StateFailed {
				n++
			}
		}
		return n
	}
	// A job that is killed as often as it may be tried fails, as it should: on a machine
	// too slow to end one between two kills, those that are near to that are let end.
	spent := func() bool {
		n, err := w.db.NewSelect().Table("river_job").Where("state = 'running' AND attempt >= max_attempts - 2").Count(t.Context())
		require.NoError(t, err)
		return n > 0
	}
	parallel := 1
	if w.db.Postgres() != nil {
		parallel = 2
	}
	var workers []*exec.Cmd
	frozen := map[*exec.Cmd]time.Time{}
	for range media {
		upload()
	}
	for done := 0; done < kills; {
		for len(victims)-settled() < 3 {
			upload()
		}
		for len(workers) < parallel {
			workers = append(workers, w.startWorker(t))
		}
		time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond) // the fault's moment
		require.Eventually(t, func() bool { return !spent() }, 5*time.Minute, 20*time.Millisecond)
		i := random.IntN(len(workers))
		victim := workers[i]
		workers = slices.Delete(workers, i, i+1)
		done++
		if parallel > 1 && random.IntN(3) == 0 {
			require.NoError(t, victim.Process.Signal(syscall.SIGSTOP))
			frozen[victim] = time.Now().Add(time.Duration(random.IntN(60)) * time.Second)
		} else {
			kill(victim)
		}
		for f, until := range frozen {
			if time.Now().After(until) {
				require.NoError(t, f.Process.Signal(syscall.SIGCONT))
				delete(frozen, f)
				workers = append(workers, f)
			}
		}
	}
	for f := range frozen {
		require.NoError(t, f.Process.Signal(syscall.SIGCONT))
	}
	for len(workers) < parallel {
		workers = append(workers, w.startWorker(t))
	}
	require.Eventually(t, func() bool { return settled() == len(victims) }, 10*time.Minute, 200*time.Millisecond,
		"not every media reached an end")
	right := 0
	for _, v := range victims {
		m, err := w.db.MediaByID(t.Context(), v.media.ID)
		require.NoError(t, err)
		require.Equal(t, v.state, m.State, "%s: %s", m.ID, m.FailureCode)
		require.Equal(t, v.code, m.FailureCode)
		if v.state == catalog.StateReady {
			require.Equal(t, catalog.ExtentWhole, m.Extent)
			require.Len(t, readHLS(t, w.hls(t, m)).video, v.rungs)
		}
		right++
	}
	t.Logf("%d kills, %d media, %d in the right state", kills, len(victims), right)
}
