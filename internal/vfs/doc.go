// Package vfs is the seam through which every file that this module writes
// itself is reached. It is small on purpose: what is here can be crashed and
// failed by a test at every single operation.
//
//   - [OS] is the file system of the machine.
//   - [Mem] is a file system in memory that knows what a power cut leaves:
//     [Mem.Crash] returns the file system as the next process finds it.
//   - [Fault] wraps any FS, numbers its operations, and fails, tears or
//     records them.
//
// # The durability model
//
// Two rules, those of POSIX as the common file systems implement them:
//
//   - D1: the content of a file is durable up to its last [File.Sync].
//   - D2: the name of a file is durable once [FS.SyncDir] of the directory
//     that holds it has returned; so are a rename and a removal.
//
// What is not durable may survive a power cut, wholly, in part or not at all,
// in any order between files. A Sync that failed says nothing about what a
// later Sync that succeeds has written: whoever meets one stops acknowledging.
package vfs
