// Package s3 keeps bodies in a bucket of an object store that speaks S3: Amazon
// S3, or one of the many servers that do. [Store] is an objects.Lister: package
// sqlblob keeps its larger bodies there, for several nodes, and objects.NewBlobs
// makes a whole blob.Blobs of it, for one.
//
// # Requests
//
//	Put      PUT with If-None-Match: *, length and CRC-32C known, in one part;
//	         the Sums in the metadata. 412: HEAD, and the same size and checksum
//	         mean success
//	Get      GET with a range; what comes too short is asked for again
//	Stat     HEAD
//	Delete   DELETE, or POST ?delete for several
//	List     ListObjectsV2
//
// The key of the credentials needs s3:PutObject, s3:GetObject, s3:DeleteObject
// and s3:ListBucket. The bucket has no rule that removes or moves objects on
// its own; versioning may be on, if old versions are expired by a rule.
//
// # Errors
//
// All errors but objects.ErrNoObject, objects.ErrExists and those of a context
// match store.ErrTemporary: mail is to be tried again, whatever it is that an
// operator has to do first. What that is they say, and match one of
//
//	ErrNoBucket   the bucket does not exist
//	ErrAccess     the credentials are unknown, wrong, or lack a permission
//	ErrClock      the clock of this machine is wrong
//	ErrFull       the store takes no more octets
//	ErrOverload   the store answers 503, or not in time, also after retries
//
// No error and no log has a secret in it.
//
// # Retries
//
// Overload, internal errors of the server, and lost connections are tried again
// after a time that grows to a second and is spread by chance, until ctx ends.
package s3
