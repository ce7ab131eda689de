package uploadcli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a transfer is. set may be called from the connection's
// goroutine, and with smaller numbers after a cut.
type progress interface {
	set(bytes int64)
	finish()
	stop()
}

// IsTerminal tells whether w is a terminal, for Options.TTY.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func newProgress(w io.Writer, tty bool, name string, size int64) progress {
	if tty {
		return &bar{w: w, bar: progressbar.NewOptions64(size,
			progressbar.OptionSetWriter(w),
			progressbar.OptionSetDescription(name),
			progressbar.OptionShowBytes(true),
			progressbar.OptionUseIECUnits(true),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionShowTotalBytes(true),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionFullWidth(),
		)}
	}
	fmt.Fprintf(w, "Uploading %s (%s)\n", name, humanize.IBytes(uint64(size)))
	return &lines{w: w, name: name, size: size, began: time.Now(), next: 25}
}

// bar is for terminals.
type bar struct {
	w   io.Writer
	bar *progressbar.ProgressBar
}

// The bar is drawn at best: a terminal that does not take it stops no upload.
func (b *bar) set(bytes int64) { _ = b.bar.Set64(bytes) }

func (b *bar) finish() {
	_ = b.bar.Finish()
	fmt.Fprintln(b.w)
}

func (b *bar) stop() { fmt.Fprintln(b.w) }

// lines is for logs: a line at each quarter.
type lines struct {
	mu    sync.Mutex
	w     io.Writer
	name  string
	size  int64
	began time.Time
	next  int64 // percent
}

func (l *lines) set(bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.next < 100 && bytes*100 >= l.next*l.size {
		fmt.Fprintf(l.w, "%s: %d %%\n", l.name, l.next)
		l.next += 25
	}
}

func (l *lines) finish() {
	took := time.Since(l.began)
	rate := float64(l.size) / max(took.Seconds(), 0.001)
	fmt.Fprintf(l.w, "%s: done in %s, %s/s\n", l.name, took.Round(100*time.Millisecond), humanize.IBytes(uint64(rate)))
}

func (l *lines) stop() {}
