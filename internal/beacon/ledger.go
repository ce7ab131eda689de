package beacon

// Class is what became of one received beacon, for the ledger of counts. The
// classes are exclusive, so that their counts add up to what was received.
type Class uint8

// The classes, in the order of precedence: of several recorded for one receipt
// the lowest counts.
const (
	ClassAccepted  Class = 1 + iota // in the figures, with a visitor
	ClassOptedOut                   // in the figures, without visitor or identity
	ClassBot                        // kept and marked, in no figure
	ClassDuplicate                  // (view, seq) had been received before
	ClassLate                       // refused: the view token had expired
	ClassInvalid                    // refused: malformed, or its token is not ours
)

// Classes returns all classes in order.
func Classes() []Class {
	return []Class{ClassAccepted, ClassOptedOut, ClassBot, ClassDuplicate, ClassLate, ClassInvalid}
}

// String returns the name of the class in the API and in the warehouse.
func (c Class) String() string {
	switch c {
	case ClassAccepted:
		return "accepted"
	case ClassOptedOut:
		return "opted_out"
	case ClassBot:
		return "bot"
	case ClassDuplicate:
		return "duplicate"
	case ClassLate:
		return "late"
	case ClassInvalid:
		return "invalid"
	}
	return "unknown"
}

// Class returns what became of the record; repeated says whether its (view,
// seq) is in the log before it.
func (r *Record) Class(repeated bool) Class {
	switch {
	case r.Refused == CodeTokenExpired:
		return ClassLate
	case r.Refused != "":
		return ClassInvalid
	case repeated:
		return ClassDuplicate
	case r.Bot:
		return ClassBot
	case r.OptedOut:
		return ClassOptedOut
	}
	return ClassAccepted
}
