# Signs or verifies with Mail::DKIM; arguments as those of dkim_peer.py. Only
# with RSA: Debian's version has no Ed25519, and messages for that are passed
# over.
use strict;
use warnings;
use Mail::DKIM::Signer;
use Mail::DKIM::Verifier;

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
if ($what eq 'sign') {
	my ($keydir, $source, $target) = @args;
	for my $name (names($source)) {
		my $message = slurp("$source/$name");
		for my $canon ('relaxed/relaxed', 'relaxed/simple', 'simple/relaxed', 'simple/simple') {
			my $signer = Mail::DKIM::Signer->new(
				Method => $canon, Domain => 'example.org', Selector => 'rsa', Algorithm => 'rsa-sha256', KeyFile => "$keydir/rsa.pem");
			$signer->PRINT($message);
			$signer->CLOSE;
			(my $c = $canon) =~ tr{/}{-};
			open(my $out, '>:raw', "$target/$name.$c.rsa") or die $!;
			print $out $signer->signature->as_string, "\r\n", $message;
			close $out or die $!;
		}
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
	for my $name (grep { /\.rsa$/ } names($source)) {
		my $verifier = Mail::DKIM::Verifier->new;
		$verifier->PRINT(slurp("$source/$name"));
		$verifier->CLOSE;
		for my $s ($verifier->signatures) {
			my $result = $s->result;
			print "$name ", ($result eq 'pass' ? 'pass' : "fail $result " . $s->result_detail), "\n";
		}
	}
}

package Zone::TXT;
sub type { return 'TXT' }
sub txtdata { return $_[0]{txt} }
sub char_str_list { return $_[0]{txt} }
