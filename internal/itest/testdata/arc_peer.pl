# Seals or verifies chains with Mail::DKIM; arguments as those of arc_peer.py.
use strict;
use warnings;
use Mail::DKIM::ARC::Signer;
use Mail::DKIM::ARC::Verifier;

sub slurp {
	my ($path) = @_;
	open(my $f, '<:raw', $path) or die "$path: $!";
	local $/;
	my $text = <$f>;
	return defined $text ? $text : '';
}

sub names {
	my ($dir) = @_;
	opendir(my $d, $dir) or die "$dir: $!";
	return sort grep { !/^\./ } readdir($d);
}

my ($what, @args) = @ARGV;
if ($what eq 'seal') {
	my ($id, $keydir, $source, $target) = @args;
	for my $name (names($source)) {
		my $message = slurp("$source/$name");
		my $signer = Mail::DKIM::ARC::Signer->new(
			Algorithm => 'rsa-sha256', Chain => 'ar', Domain => 'example.org', SrvId => $id, Selector => 'rsa', KeyFile => "$keydir/rsa.pem");
		$signer->PRINT($message);
		$signer->CLOSE;
		die "$name: " . $signer->result . ' ' . ($signer->{details} || '') . "\n" if $signer->result ne 'sealed';
		open(my $out, '>:raw', "$target/$name") or die $!;
		print $out join("\r\n", $signer->as_strings), "\r\n", $message;
		close $out or die $!;
	}
}
else {
	my ($zone, $source) = @args;
	my %records;
	for my $line (split /\n/, slurp($zone)) {
		my ($name, $record) = split / /, $line, 2;
		$records{$name} = $record;
	}
	no warnings 'redefine';
	*Mail::DKIM::DNS::query = sub {
		my ($domain, $type) = @_;
		return unless exists $records{$domain};
		return bless({ txt => $records{$domain} }, 'Zone::TXT');
	};
	for my $name (names($source)) {
		my $verifier = Mail::DKIM::ARC::Verifier->new;
		$verifier->PRINT(slurp("$source/$name"));
		$verifier->CLOSE;
		my $result = $verifier->result;
		print "$name ", ($result eq 'pass' ? 'pass' : "fail $result " . $verifier->result_detail), "\n";
	}
}

package Zone::TXT;
sub type { return 'TXT' }
sub txtdata { return $_[0]{txt} }
sub char_str_list { return $_[0]{txt} }
