// Package journal is a floor's write-ahead log on the local disk: append-only
// segments of opaque records, snapshots beside them, and a reader that follows
// the tail for whoever moves the records to the database.
//
// A record is a payload with a sequence. The caller chooses the sequences; they
// strictly increase. What [Journal.Commit] writes is one frame, and a frame is
// recovered whole or not at all, so records that belong together (all facts of
// one step) are never split by a crash.
//
// # Files
//
// One folder holds one journal, all numbers little endian:
//
//	00000000000000000001.segment   header, then frames; the name is the lowest sequence it may hold
//	00000000000000004096.snapshot  header with checksum, then the state after that sequence
//	acknowledged                   the highest sequence the projector has stored elsewhere
//	lock                           held by the one process that has the journal open
//
// Checksums are CRC-32C (Castagnoli). A frame's checksum also covers its place
// in the file, so bytes copied from elsewhere never pass for a frame.
//
// # What survives what
//
// A crash or a power cut costs at most the frame that was not yet committed:
// its torn bytes are cut off by [Open] and reported. A damaged frame with a good
// frame behind it was committed once, so it is damage and not a tear: a
// [CorruptError] names file and byte, and nothing is skipped. After a failed
// fsync nothing is known about the disk any more (the kernel may have dropped
// the pages and forgotten the error, as PostgreSQL learned in 2018), so the
// journal turns read-only and stays so until it is opened again.
//
// # What it refuses to do
//
// It does not know what a record means, does not skip or repair damage, does
// not compress, and never drops a record by itself: when the bound or the disk
// is full it says [ErrFull] and leaves the choice to its caller.
package journal
