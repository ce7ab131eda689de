package collect

import (
	"bytes"
	"context"
	"time"

	"github.com/vitascope/vitascope/internal/eventlog"
	"github.com/vitascope/vitascope/internal/lane"
)

// swift is the beacon that a connection has begun and whose record is on its way to
// the log, while nobody waits for it.
type swift struct {
	conn     *lane.Conn
	request  request
	arrival  arrival
	message  eventlog.Message
	received time.Time
	tally    tally
}

// Begin implements lane.Swift: it takes what will be accepted as soon as the log has
// it. Anything else, a refusal too, is left to Answer.
func (s *session) Begin(c *lane.Conn, whole []byte) bool {
	h, r := s.handler, &s.swift.request
	end := bytes.Index(whole, []byte("\r\n\r\n"))
	if end < 0 || !r.parse(whole[:end+2]) || len(whole) != end+4+r.length || r.encoding != "" || !isText(r.mediaType) || h.keeper.away.Load() {
		return false
	}
	s.know(r)
	a := &s.swift.arrival
	*a = arrival{
		body: whole[end+4:], mediaType: r.mediaType, agent: s.agent, address: s.from,
		optedOut: r.optedOut, sentAt: r.sentAt, memo: &s.memo,
	}
	received := h.now()
	if !h.admit(a, received) {
		return false
	}
	w, _ := h.works.Get().(*work)
	defer h.works.Put(w)
	claims, err := h.check(&w.batch, a.body, received)
	if err == nil && h.media.allow(claims.Media, received) {
		s.message, err = h.fill(w, claims, a, received)
		s.conn, s.received, s.tally = c, received, tally{len(w.record.Events), w.record.Bot, w.record.OptedOut}
		if err == nil && h.keeper.begin(eventlog.TopicBeacons, s.message, s) {
			return true
		}
	}
	s.memo.admitted = true
	return false
}

// Landed implements eventlog.Landing.
func (s *session) Landed(err error) {
	if err != nil {
		go s.landElsewhere(err)
		return
	}
	s.handler.metrics.ack.Observe(time.Since(s.received).Seconds())
	s.finish(nil)
}

// landElsewhere puts on disk what the log did not take, and answers.
func (s *session) landElsewhere(err error) {
	ctx := context.Background()
	if err = s.handler.keeper.ended(ctx, eventlog.TopicBeacons, s.message, err); err != nil {
		err = s.handler.unavailable(err)
	}
	s.finish(err)
}

// finish answers what Begin began.
func (s *session) finish(err error) {
	c, last := s.conn, s.swift.request.close || s.conn.Closing()
	s.conn, s.message = nil, eventlog.Message{}
	if err == nil {
		s.handler.metrics.add(s.tally)
		c.Finish(s.accepted(last), last)
		return
	}
	var answer bytes.Buffer
	if s.problem(&answer, err, last) != nil {
		last = true
	}
	c.Finish(answer.Bytes(), last)
}
