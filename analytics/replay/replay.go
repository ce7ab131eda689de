// Package replay puts beacons that were refused back into the event log, once this
// release can read what an older one could not.
//
// Two kinds of records wait in the rejected topic: bodies that collect refused for
// what they said, and records of the log that a sink could not decode. Those that
// pass now are written to the log again. A body keeps the receipt it was refused
// under and is dated when it came; who sent it was never kept, so that its view has
// no visitor, country or device. Batches are named by view and number: replaying
// again changes nothing.
package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/eventlog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/idempotency"
)

// Producer appends to the event log and returns when it is acknowledged.
type Producer interface {
	Write(ctx context.Context, topic string, messages ...eventlog.Message) error
}

// Replayer reads the rejected topic.
type Replayer struct {
	log      *eventlog.Log
	producer Producer
	key      []byte // verifies view tokens
}

// New returns a Replayer of one event log.
func New(log *eventlog.Log, producer Producer, viewToken []byte) *Replayer {
	return &Replayer{log: log, producer: producer, key: viewToken}
}

// Result says what a replay found of an account.
type Result struct {
	Recovered int            `json:"recovered" doc:"Beacons that can be read now and are in the event log again."`
	Refused   map[string]int `json:"refused" doc:"Beacons that are still refused, by reason."`
}

// Replay puts back what can be read now of an account; with dry it only counts.
func (r *Replayer) Replay(ctx context.Context, account string, dry bool) (*Result, error) {
	out := &Result{Refused: map[string]int{}}
	ranges, err := r.log.Offsets(ctx, eventlog.TopicRejected)
	if err != nil {
		return nil, away(err)
	}
	for _, p := range slices.Sorted(maps.Keys(ranges)) {
		reader := r.log.Reader(eventlog.TopicRejected, p)
		for at := ranges[p].First; at < ranges[p].End; {
			chunk, err := reader.Read(ctx, at, 4<<20, time.Second)
			if err != nil {
				return nil, away(err)
			}
			var again []eventlog.Message
			for _, m := range chunk.Messages {
				at = m.Offset + 1
				record, err := r.read(m)
				switch refusal, refused := errors.AsType[*beacon.Error](err); {
				case record == nil || record.Account != account:
				case refused:
					out.Refused[string(refusal.Code)]++
				case err != nil:
					out.Refused["record_unreadable"]++
				default:
					value, err := beacon.EncodeRecord(record)
					if err != nil {
						return nil, err
					}
					again = append(again, eventlog.Message{Key: []byte(record.View), Value: value})
				}
			}
			if out.Recovered += len(again); !dry && len(again) > 0 {
				if err := r.producer.Write(ctx, eventlog.TopicBeacons, again...); err != nil {
					return nil, away(err)
				}
			}
		}
	}
	return out, nil
}

func away(err error) error {
	return fault.Wrap(fault.Unavailable, err, "event-log-away", "The event log does not answer. Try again shortly.")
}

// read reads what was rejected. Beside an error the record only tells whose it is,
// and is nil when that is unknown.
func (r *Replayer) read(m eventlog.Message) (*beacon.Record, error) {
	headers := map[string]string{}
	for _, h := range m.Headers {
		headers[h.Key] = string(h.Value)
	}
	if headers["source"] == "sink" {
		return beacon.DecodeRecord(m.Value)
	}
	ms, err := strconv.ParseInt(headers["at_ms"], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("rejected record %d: at_ms: %w", m.Offset, err)
	}
	return r.body(m.Value, beacon.Code(headers["reason"]), headers["receipt"], time.UnixMilli(ms))
}

// body reads a body as it would have been read when it came.
func (r *Replayer) body(raw []byte, reason beacon.Code, receipt string, at time.Time) (*beacon.Record, error) {
	batch, err := beacon.Decode(raw)
	if batch == nil {
		return nil, err
	}
	claims, invalid := beacon.VerifyViewToken(r.key, batch.Token, at)
	if claims.Account == "" {
		return nil, invalid
	}
	record := &beacon.Record{V: beacon.Version, Account: claims.Account}
	if reason == beacon.CodeMediaType { // it was not what it said that was wrong
		return record, &beacon.Error{Code: reason}
	}
	if err != nil || invalid != nil {
		return record, errors.Join(err, invalid)
	}
	number, err := strconv.ParseUint(receipt, 10, 64)
	if err != nil { // from before receipts were kept: it has none
		number = 0
	}
	batch.Clamp(claims.Duration, at)
	record.Media, record.View, record.Seq, record.Receipt = claims.Media, claims.View, batch.Seq, number
	record.ReceivedAtMS, record.DurationMS = at.UnixMilli(), claims.Duration.Milliseconds()
	record.Page, record.Events = batch.Page, batch.Events
	return record, nil
}

// Input is the body of the operation.
type Input struct {
	DryRun bool `json:"dry_run,omitempty" doc:"Only count."`
}

// Register adds the operation. r is nil in a process that was given no event log,
// which then says so.
func Register(api huma.API, r *Replayer) {
	op := huma.Operation{
		OperationID: "create-stats-replay", Method: "POST", Path: "/v1/stats/replays", DefaultStatus: 200,
		Summary: "Count beacons that were refused and can be read now", Tags: []string{"Statistics"},
	}
	httpx.Register(api, idempotency.Repeatable(op), func(ctx context.Context, in *struct{ Body Input }) (*struct{ Body *Result }, error) {
		if auth.From(ctx).Role != catalog.RoleAdmin {
			return nil, fault.New(fault.Forbidden, "admin-needed", "Only an admin of the account may do this.")
		}
		if r == nil {
			return nil, fault.New(fault.Unavailable, "no-event-log", "This process was not told where the event log is. Give it --kafka-brokers.")
		}
		result, err := r.Replay(ctx, auth.AccountID(ctx), in.Body.DryRun)
		return &struct{ Body *Result }{result}, err
	})
}
