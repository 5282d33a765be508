# Reads or writes an aggregate report with Mail::DMARC.
#
# dmarc_report.pl read FILE    FILE is a message; prints what is in its report
# dmarc_report.pl write FILE   FILE is a message; prints its report as XML of Mail::DMARC
use strict;
use warnings;
use Mail::DMARC::Report::Receive;

my ($what, $file) = @ARGV;
my $aggregate;
{
	no warnings 'redefine';
	*Mail::DMARC::Report::save_aggregate = sub { $aggregate = $_[0]->aggregate; return 1 };
}
my $receive = Mail::DMARC::Report::Receive->new;
open(my $stdout, '>&', \*STDOUT) or die $!;
open(STDOUT, '>', '/dev/null') or die $!;    # it prints the Subject
my $kind = $receive->from_file($file);
open(STDOUT, '>&', $stdout) or die $!;
die "no report" unless $aggregate && $kind eq 'aggregate';
if ($what eq 'write') {
	print $aggregate->as_xml;
	exit;
}
# get is a field of what is an object or not.
sub get { my ($x, $name) = @_; return (ref($x) eq 'HASH' ? $x->{$name} : $x->$name) // '' }

my $meta = $aggregate->metadata;
print join('|', map { $meta->$_ // '' } qw(org_name email report_id begin end)), "\n";
my $policy = $aggregate->policy_published;
print join('|', map { $policy->$_ // '' } qw(domain adkim aspf p sp pct)), "\n";
for my $record (@{ $aggregate->record }) {
	my $row = $record->row;
	my $evaluated = $row->policy_evaluated;
	print join('|', $row->source_ip, $row->count, (map { $evaluated->$_ } qw(disposition dkim spf)),
		(map { get($_, 'type') } @{ $evaluated->reason || [] }), $record->identifiers->header_from, $record->identifiers->envelope_from,
		(map { join(' ', 'dkim', get($_, 'domain'), get($_, 'selector'), get($_, 'result')) } @{ $record->auth_results->dkim || [] }),
		(map { join(' ', 'spf', get($_, 'domain'), get($_, 'scope'), get($_, 'result')) } @{ $record->auth_results->spf || [] })), "\n";
}
