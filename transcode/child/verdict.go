package child

import (
	"fmt"
	"strings"
	"syscall"
	"time"
)

// verdict is what a child's last words and its end amount to.
func (p *process) verdict(outcome *Event, waitErr error) error {
	switch {
	case outcome != nil && outcome.Failed != nil:
		return &MediaError{Code: outcome.Failed.Code, Detail: clip(outcome.Failed.Detail)}
	case outcome != nil && waitErr == nil:
		return nil
	}
	state := p.cmd.ProcessState
	words := p.errors.String()
	status, _ := state.Sys().(syscall.WaitStatus)
	switch {
	case state.UserTime()+state.SystemTime() >= p.limits.CPU-time.Second,
		status.Signaled() && (status.Signal() == syscall.SIGXCPU || status.Signal() == syscall.SIGXFSZ),
		strings.Contains(words, "SIGXCPU"), strings.Contains(words, "SIGXFSZ"),
		saysTooMuch(words):
		return Refuse(LimitExceeded, "media child ended: %s", state)
	case status.Signaled() && status.Signal() == syscall.SIGKILL:
		// Not ours: the kernel, short of memory, or an operator.
		return fmt.Errorf("media child was killed from outside: %s", state)
	case strings.Contains(words, "cannot be confined: "):
		return fmt.Errorf("%w: %s", ErrNoSandbox, clip(words))
	case status.Exited() && status.ExitStatus() == 1:
		return fmt.Errorf("media child failed: %s", clip(words)) // in its own words
	}
	return Refuse(DecoderCrashed, "media child ended: %s", state)
}

// saysTooMuch recognises the words in which Go, FFmpeg and x264 tell that memory
// was refused to them, or the growth of a file.
func saysTooMuch(words string) bool {
	for _, s := range []string{"out of memory", "annot allocate memory", "malloc of size", "pthread_create failed", "File too large", "file too large"} {
		if strings.Contains(words, s) {
			return true
		}
	}
	return false
}
