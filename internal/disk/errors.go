package disk

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// What an operation's error is as well, when errors.Is is asked, if the
// operating system's own word has a meaning for whoever looks after the disk.
var (
	// ErrNoSpace means that the disk or the quota is full. Writing succeeds
	// again when there is room.
	ErrNoSpace = errors.New("the disk is full; free some space on it")
	// ErrReadOnly means that the file system takes no writes, as ext4 does
	// after an error. It has to be checked and mounted again.
	ErrReadOnly = errors.New("the file system is read-only; check it with fsck and mount it again")
	// ErrIO means that the device failed. It is time for another one.
	ErrIO = errors.New("the disk fails; save its content and replace it")
)

// Classify adds ErrNoSpace, ErrReadOnly or ErrIO to an error that means one of
// them, and returns others, and nil, as they are.
func Classify(err error) error {
	if class := classOf(err); class != nil {
		return fmt.Errorf("%w: %w", class, err)
	}
	return err
}

// classOf names what an error number is to people. EUCLEAN and EBADMSG are how
// ext4 and XFS say that their own structures are damaged.
func classOf(err error) error {
	var number unix.Errno
	if !errors.As(err, &number) {
		return nil
	}
	switch number {
	case unix.ENOSPC, unix.EDQUOT:
		return ErrNoSpace
	case unix.EROFS:
		return ErrReadOnly
	case unix.EIO, unix.ENXIO, unix.ENODEV, unix.ETIMEDOUT, unix.EREMOTEIO, unix.EUCLEAN, unix.EBADMSG:
		return ErrIO
	}
	return nil
}
