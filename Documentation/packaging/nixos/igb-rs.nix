# SPDX-License-Identifier: GPL-2.0
#
# igb_rs for a kernel of nixpkgs, in configuration.nix:
#
#   { config, pkgs, ... }: {
#     boot.kernelPackages = pkgs.linuxPackages_7_3;
#     boot.extraModulePackages =
#       [ (config.boot.kernelPackages.callPackage /path/to/igb-rs/Documentation/packaging/nixos/igb-rs.nix { }) ];
#     boot.extraModprobeConfig = builtins.readFile /path/to/igb-rs/debian/modprobe.conf;
#     boot.initrd.kernelModules = [ "igb_rs" ];
#   }
#
# The kernel is built from source by the same rustc, which is what moduleBuildDependencies has. The
# generated bindings are made once more from the kernel's source, as its output for modules has only the
# metadata that was made of them.
#
# Level of testing: nix-instantiate --parse reads this file; the same steps were run against a kernel of Debian
# whose build directory lacked the bindings. It was not built on NixOS.

{ lib, stdenv, kernel }:

stdenv.mkDerivation {
  pname = "igb-rs";
  version = "0.1.0-${kernel.version}";

  src = lib.fileset.toSource {
    root = ../../..;
    fileset = lib.fileset.unions [ ../../../Kbuild ../../../drivers ../../../rust ];
  };

  nativeBuildInputs = kernel.moduleBuildDependencies;
  hardeningDisable = [ "pic" "format" ];

  postUnpack = ''
    mkdir kernel-source
    tar --extract --file ${kernel.src} --directory kernel-source --strip-components=1 \
      --wildcards '*/rust' '*/drivers/android/binder' '*/drivers/base/base.h'
  '';

  buildPhase = ''
    runHook preBuild
    make ${lib.escapeShellArgs (kernel.moduleMakeFlags or kernel.makeFlags)} \
      -C ${kernel.dev}/lib/modules/${kernel.modDirVersion}/build M="$PWD" \
      NETBIND_KERNEL_RUST="$NIX_BUILD_TOP/kernel-source/rust" modules
    runHook postBuild
  '';

  installPhase = ''
    runHook preInstall
    install -D -m 644 igb_rs.ko $out/lib/modules/${kernel.modDirVersion}/updates/igb_rs.ko
    runHook postInstall
  '';

  meta = {
    description = "Driver in Rust for Intel's 82576 network controller";
    license = lib.licenses.gpl2Only;
    platforms = [ "x86_64-linux" ];
    broken = !kernel.withRust;
  };
}
