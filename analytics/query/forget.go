package query

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"github.com/vitascope/vitascope/internal/jobs"
)

// AddWorkers registers the workers that erase what deleted media and erased leads
// leave in the warehouse.
func AddWorkers(c *jobs.Client, svc *Service) {
	jobs.AddWorker(c, &forgetter{svc: svc})
	jobs.AddWorker(c, &visitorForgetter{svc: svc})
}

// forgetter erases the figures and events of a deleted media. It may run any number
// of times; while the warehouse is away, or no sink takes up what it began, the job
// comes again.
type forgetter struct {
	river.WorkerDefaults[jobs.ForgetArgs]
	svc *Service
}

// Timeout bounds one erasure.
func (w *forgetter) Timeout(*river.Job[jobs.ForgetArgs]) time.Duration { return maintenanceTimeout }

// Work erases every row of the media from every table.
func (w *forgetter) Work(ctx context.Context, job *river.Job[jobs.ForgetArgs]) error {
	_, err := w.svc.db.EraseMedia(ctx, job.Args.AccountID, job.Args.MediaID)
	return err
}

// visitorForgetter does so for a visitor.
type visitorForgetter struct {
	river.WorkerDefaults[jobs.ForgetVisitorArgs]
	svc *Service
}

// Timeout bounds one erasure.
func (w *visitorForgetter) Timeout(*river.Job[jobs.ForgetVisitorArgs]) time.Duration {
	return maintenanceTimeout
}

// Work erases every row of the visitor from every table.
func (w *visitorForgetter) Work(ctx context.Context, job *river.Job[jobs.ForgetVisitorArgs]) error {
	_, err := w.svc.db.EraseVisitor(ctx, job.Args.AccountID, job.Args.Visitor)
	return err
}
