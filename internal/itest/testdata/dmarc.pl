# Judges messages by Mail::DMARC. Each line of the input is one case, with tabs
# between its parts: the Author Domain, the domain that SPF passes for, that of
# a signature, then pairs of a name and the text of a TXT record there. "-" is
# none. The first argument is the list of public suffixes, the second what
# rand(100) gives. The output is a result and a disposition for each line.
use strict;
use warnings;

my $rand;
BEGIN { *CORE::GLOBAL::rand = sub { return $rand } }

use Mail::DMARC::PurePerl;
use Net::DNS;

# Zone is a resolver: every name has an address.
package Zone {
    sub new { return bless { txt => $_[1] }, $_[0] }

    sub send {
        my ( $self, $name, $type ) = @_;
        my $packet = Net::DNS::Packet->new( $name, $type, 'IN' );
        if ( $type eq 'A' ) {
            $packet->push( answer => Net::DNS::RR->new( name => $name, type => 'A', address => '192.0.2.1' ) );
        }
        for my $text ( @{ $self->{txt}{ lc $name } || [] } ) {
            last if $type ne 'TXT';
            $packet->push( answer => Net::DNS::RR->new( name => $name, type => 'TXT', txtdata => [$text] ) );
        }
        return $packet;
    }

    sub query {
        my ( $self, $name, $type ) = @_;
        my $packet = $self->send( $name, $type );
        return $packet->answer ? $packet : undef;
    }
}

package main;

my $list;
( $list, $rand ) = @ARGV;
$SIG{__WARN__} = sub { };
$| = 1;
while ( my $line = <STDIN> ) {
    chomp $line;
    my ( $from, $spf, $dkim, @records ) = split /\t/, $line, -1;
    my %txt;
    while (@records) {
        my ( $name, $text ) = splice @records, 0, 2;
        push @{ $txt{"_dmarc.$name"} }, $text;
    }
    my $dmarc = Mail::DMARC::PurePerl->new;
    $dmarc->config->{dns}{public_suffix_list} = $list;
    $dmarc->config->{report_store}{auto_save} = 0;
    $dmarc->set_resolver( Zone->new( \%txt ) );
    $dmarc->source_ip('192.0.2.1');
    my $result = eval {
        $dmarc->header_from($from);
        $dmarc->spf( [ { scope => 'mfrom', domain => $spf eq '-' ? $from : $spf, result => $spf eq '-' ? 'fail' : 'pass' } ] );
        $dmarc->dkim( $dkim eq '-' ? [] : [ { domain => $dkim, selector => 's', result => 'pass' } ] );
        $dmarc->validate;
    };
    print $result ? lc( $result->result . ' ' . $result->disposition ) : 'refused: ' . $@ =~ s/\n.*//sr, "\n";
}
