package ldap

// Hostile is for tests outside of the package.
var Hostile = hostile
